/*
 * json.h - writes JSON, one value after another, to a stdio stream. Escapes everything that RFC 8259 demands and all
 * bytes that are not ASCII, so that a hostile name can neither break a line nor a terminal. Never reads JSON.
 */
#ifndef AGENTSH_COMMON_JSON_H
#define AGENTSH_COMMON_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
        FILE *stream; /* not owned */
        bool comma;   /* the next member or element needs one in front */
};

void json_begin_object(struct json *json, const char *key); /* key NULL: an element, or the outermost value */
void json_end_object(struct json *json);
void json_begin_array(struct json *json, const char *key);
void json_end_array(struct json *json);
void json_string(struct json *json, const char *key, const char *value); /* value NULL: null */
void json_number(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);

#endif
