/* store_remove.c - see store_remove.h. */
#include "admin/store_remove.h"

#include "admin/output.h"
#include "admin/verb.h"

#include <errno.h>
#include <string.h>

static int remove_one(const struct store *store, const char *key)
{
        struct error err = ERROR_INIT;

        if (store_remove(store, key, &err) < 0)
                return output_error(&err);
        (void)printf("%s is removed\n", key);
        return VERB_OK;
}

static int remove_many(const struct store *store, const struct removable *items, size_t count, bool only_stale)
{
        struct error err = ERROR_INIT;
        int status = VERB_OK;

        for (size_t i = 0; i < count; i++)
                if ((!only_stale || items[i].stale) && remove_one(store, items[i].key) != VERB_OK)
                        status = VERB_FAILED;
        return store_tidy(store, &err) < 0 ? output_error(&err) : status;
}

static int find(const struct store *store, const struct removable *items, size_t count, const char *prefix,
                const char **ret, struct error *err)
{
        const char *found = NULL;

        for (size_t i = 0; i < count; i++) {
                if (prefix[0] == '\0' || strncmp(items[i].key, prefix, strlen(prefix)) != 0)
                        continue;
                if (found != NULL)
                        return error_text(err, EINVAL, "%s is the beginning of several %ss' names", prefix,
                                          store->what);
                found = items[i].key;
        }
        if (found == NULL)
                return error_text(err, ENOENT, "there is no %s \"%.32s\": \"%s\" lists them", store->what, prefix,
                                  store->list);
        *ret = found;
        return 0;
}

static int remove_listed(const struct store *store, const struct removable *items, size_t count, char *const *names)
{
        int status = VERB_OK;

        for (; *names != NULL; names++) {
                struct error err = ERROR_INIT;
                const char *key = NULL;

                if (find(store, items, count, *names, &key, &err) < 0)
                        status = output_error(&err);
                else if (remove_one(store, key) != VERB_OK)
                        status = VERB_FAILED;
        }
        return status;
}

int store_remove_named(const struct store *store, const struct removable *items, size_t count, bool knows_stale,
                       int argc, char **argv)
{
        static const struct option ALL[] = { { "all", no_argument, NULL, 'a' }, { 0 } };
        static const struct option BOTH[] = { { "all", no_argument, NULL, 'a' },
                                              { "stale", no_argument, NULL, 's' },
                                              { 0 } };
        int option, chosen = 0;

        while ((option = getopt_long(argc, argv, "", knows_stale ? BOTH : ALL, NULL)) != -1) {
                if (option == '?')
                        return output_usage(argv[0], "cannot understand the options");
                if (chosen != 0 && chosen != option)
                        return output_usage(argv[0], "give --stale or --all, not both");
                chosen = option;
        }
        if ((chosen != 0) == (optind < argc))
                return output_usage(argv[0], "give the names of %ss, or %s--all", store->what,
                                    knows_stale ? "--stale, or " : "");
        return finish_output(chosen != 0 ? remove_many(store, items, count, chosen == 's')
                                         : remove_listed(store, items, count, argv + optind));
}
