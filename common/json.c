/* json.c - writes JSON. No privilege. */
#include "common/json.h"

#include <inttypes.h>

static void write_quoted(FILE *stream, const char *text)
{
        (void)fputc('"', stream);
        for (; *text != '\0'; text++) {
                unsigned char byte = (unsigned char)*text;

                if (byte == '"' || byte == '\\')
                        (void)fprintf(stream, "\\%c", byte);
                else if (byte < 0x20 || byte >= 0x7f)
                        (void)fprintf(stream, "\\u%04x", byte);
                else
                        (void)fputc(byte, stream);
        }
        (void)fputc('"', stream);
}

static void begin(struct json *json, const char *key)
{
        if (json->comma)
                (void)fputc(',', json->stream);
        json->comma = true;
        if (key != NULL) {
                write_quoted(json->stream, key);
                (void)fputc(':', json->stream);
        }
}

void json_begin_object(struct json *json, const char *key)
{
        begin(json, key);
        (void)fputc('{', json->stream);
        json->comma = false;
}

void json_end_object(struct json *json)
{
        (void)fputc('}', json->stream);
        json->comma = true;
}

void json_begin_array(struct json *json, const char *key)
{
        begin(json, key);
        (void)fputc('[', json->stream);
        json->comma = false;
}

void json_end_array(struct json *json)
{
        (void)fputc(']', json->stream);
        json->comma = true;
}

void json_string(struct json *json, const char *key, const char *value)
{
        begin(json, key);
        if (value == NULL)
                (void)fputs("null", json->stream);
        else
                write_quoted(json->stream, value);
}

void json_number(struct json *json, const char *key, int64_t value)
{
        begin(json, key);
        (void)fprintf(json->stream, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
        begin(json, key);
        (void)fputs(value ? "true" : "false", json->stream);
}
