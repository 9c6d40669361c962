/* test_json.c - what is written is one line of valid JSON in printable ASCII, whatever the strings hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/json.h"

#include <stdlib.h>
#include <string.h>

struct output {
        char *text;
        size_t size;
        struct json json;
};

static void start(struct output *output)
{
        *output = (struct output){ 0 };
        output->json.stream = open_memstream(&output->text, &output->size);
        assert_non_null(output->json.stream);
}

static void expect(struct output *output, const char *text)
{
        assert_int_equal(fclose(output->json.stream), 0);
        assert_string_equal(output->text, text);
        for (size_t i = 0; i < output->size; i++)
                assert_in_range((unsigned char)output->text[i], 0x20, 0x7e);
        free(output->text);
}

static void test_nesting(void **state)
{
        struct output output;
        struct json *json = &output.json;

        (void)state;
        start(&output);
        json_begin_object(json, NULL);
        json_begin_array(json, "empty");
        json_end_array(json);
        json_begin_array(json, "list");
        json_number(json, NULL, 1);
        json_begin_object(json, NULL);
        json_end_object(json);
        json_begin_object(json, NULL);
        json_bool(json, "yes", true);
        json_bool(json, "no", false);
        json_end_object(json);
        json_string(json, NULL, "x");
        json_end_array(json);
        json_string(json, "none", NULL);
        json_end_object(json);
        expect(&output, "{\"empty\":[],\"list\":[1,{},{\"yes\":true,\"no\":false},\"x\"],\"none\":null}");
}

static void test_numbers(void **state)
{
        struct output output;

        (void)state;
        start(&output);
        json_begin_array(&output.json, NULL);
        json_number(&output.json, NULL, INT64_MIN);
        json_number(&output.json, NULL, INT64_MAX);
        json_number(&output.json, NULL, 0);
        json_end_array(&output.json);
        expect(&output, "[-9223372036854775808,9223372036854775807,0]");
}

static void test_hostile_strings(void **state)
{
        struct output output;

        (void)state;
        start(&output);
        json_begin_object(&output.json, NULL);
        json_string(&output.json, "k\"\n", "\"},{\\\n\r\t\x1b[2J\x01\x7f\xc2\x9b\xff/<");
        json_end_object(&output.json);
        expect(&output, "{\"k\\\"\\u000a\":\"\\\"},{\\\\\\u000a\\u000d\\u0009\\u001b[2J\\u0001\\u007f\\u00c2\\u009b"
                        "\\u00ff/<\"}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nesting),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_hostile_strings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
