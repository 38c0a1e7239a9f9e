/* SPDX-License-Identifier: MIT */
/* Request bodies and the names in them. */
#include "controller/core/names.h"
#include "controller/core/page.h"
#include "controller/core/sshkey.h"
#include "tests/support/test.h"

static json_t *parse(const char *type, const char *body, enum body_result expected)
{
    json_t *obj = NULL, *error = NULL;

    assert_int_equal(body_parse(deis_str(type), deis_str(body), &obj, &error), expected);
    return expected == BODY_OK ? obj : error;
}

static const char *text(const json_t *obj, const char *name)
{
    const char *value = json_string_value(json_object_get(obj, name));

    return value ? value : "(none)";
}

static void body__three_formats_give_one_object(void **state)
{
    deis_autojson json_t *json =
        parse("application/json; charset=utf-8", "{\"a\":\"b c\"}", BODY_OK);
    deis_autojson json_t *form =
        parse("application/x-www-form-urlencoded", "a=b+c&x=%C3%A9", BODY_OK);
    deis_autojson json_t *parts = parse(
        "multipart/form-data; boundary=X1",
        "--X1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb c\r\n--X1--\r\n", BODY_OK);
    deis_autojson json_t *empty = parse("application/json", "", BODY_OK);

    assert_string_equal(text(json, "a"), "b c");
    assert_string_equal(text(form, "a"), "b c");
    assert_string_equal(text(form, "x"), "\xC3\xA9");
    assert_string_equal(text(parts, "a"), "b c");
    assert_int_equal(json_object_size(empty), 0);
}

static void body__faults_have_the_shapes_of_the_api(void **state)
{
    deis_autojson json_t *broken = parse("application/json", "{\"a\":", BODY_BAD);
    deis_autojson json_t *list = parse("application/json", "[1]", BODY_BAD);
    deis_autojson json_t *xml = parse("text/xml", "<a/>", BODY_UNSUPPORTED);
    deis_autojson json_t *parts =
        parse("multipart/form-data; boundary=X1", "--X1\r\nno end", BODY_BAD);

    assert_memory_equal(text(broken, "detail"), "JSON parse error - ", 19);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(list, "non_field_errors"), 0)),
        "Invalid data. Expected a dictionary, but got list.");
    assert_string_equal(text(xml, "detail"), "Unsupported media type 'text/xml' in request.");
    assert_string_equal(text(parts, "detail"), "Multipart form parse error");
}

/* {"a": [0,0,...]}, or the same as a text: {"a": "0,0,..."}; yours. */
static char *many(const char *begin, size_t commas, const char *end)
{
    struct deis_buf b = DEIS_BUF_INIT(1 << 20);

    deis_buf_add_cstr(&b, begin);
    for (size_t i = 0; i < commas; i++) {
        deis_buf_add_cstr(&b, "0,");
    }
    deis_buf_add_cstr(&b, end);
    return deis_buf_take(&b, NULL);
}

static void body__values_are_counted_before_they_are_made(void **state)
{
    deis_autofree char *too_many = many("{\"a\":[", 20000, "0]}");
    deis_autofree char *enough = many("{\"a\":[", 19999, "0]}");
    deis_autofree char *commas = many("{\"a\":\"\\\"", 30000, "0\"}");
    deis_autofree char *within = many("{\"a\":\"{\\\"b\\\":[", 20000, "0]}\"}");
    deis_autojson json_t *error = parse("application/json", too_many, BODY_BAD);
    deis_autojson json_t *list = parse("application/json", enough, BODY_OK);
    deis_autojson json_t *text_body = parse("application/json", commas, BODY_OK);
    deis_autojson json_t *map_body = parse("application/json", within, BODY_OK);
    struct fields f;

    assert_string_equal(text(error, "detail"), "JSON parse error - too many values");
    assert_int_equal(json_array_size(json_object_get(list, "a")), 20000);
    assert_int_equal(strlen(text(text_body, "a")), 60002);
    fields_init(&f, map_body);
    assert_null(fields_map(&f, "a"));
    assert_true(fields_failed(&f));
    fields_clear(&f);
}

/* The first message under a field for this value of it; NULL when it passes. */
static char *fault_of(const char *json, const char *name, unsigned flags, size_t max)
{
    deis_autojson json_t *body = deis_json_parse(deis_str(json), NULL);
    struct fields f;
    char *out = NULL;

    assert_non_null(body);
    fields_init(&f, body);
    free(fields_text(&f, name, flags, max));
    deis_autojson json_t *errors = fields_take_errors(&f);
    const char *message = json_string_value(json_array_get(json_object_get(errors, name), 0));
    if (message) {
        out = deis_strdup(message);
    }
    return out;
}

static void fields__standard_messages(void **state)
{
    static const struct {
        const char *json;
        unsigned flags;
        const char *message;
    } cases[] = {
        { "{}", FIELD_REQUIRED, "This field is required." },
        { "{}", 0, NULL },
        { "{\"a\":null}", 0, "This field may not be null." },
        { "{\"a\":\"\"}", 0, "This field may not be blank." },
        { "{\"a\":\"\"}", FIELD_BLANK_OK, NULL },
        { "{\"a\":\"12345\"}", 0, NULL },
        { "{\"a\":\"123456\"}", 0, "Ensure this field has no more than 5 characters." },
        { "{\"a\":\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\"}", 0,
          NULL }, /* characters, not bytes */
        { "{\"a\":12}", 0, NULL },
        { "{\"a\":[1]}", 0, "Not a valid string." },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autofree char *message = fault_of(cases[i].json, "a", cases[i].flags, 5);
        if (cases[i].message) {
            assert_non_null(message);
            assert_string_equal(message, cases[i].message);
        } else {
            assert_null(message);
        }
    }
}

static unsigned app_faults(const char *id)
{
    deis_autojson json_t *body = json_object();
    struct fields f;

    fields_init(&f, body);
    names_check_app(&f, id, "deis");
    deis_autojson json_t *errors = fields_take_errors(&f);
    return (unsigned)json_array_size(json_object_get(errors, "id"));
}

static void names__app_ids(void **state)
{
    assert_int_equal(app_faults("plum-harbor"), 0);
    assert_int_equal(app_faults("7"), 0);
    assert_int_equal(app_faults("camelCase"), 1);
    assert_int_equal(app_faults("with_underscore"), 1);
    assert_int_equal(app_faults("two words"), 2);
    assert_int_equal(app_faults("-dash"), 1);
    assert_int_equal(app_faults("dash-"), 1);
    assert_int_equal(app_faults("line\n"), 2);
    assert_int_equal(app_faults("deis"), 1);
    for (uint32_t i = 0; i < 300; i++) {
        deis_autofree char *name = names_generate_app(i, i * 7 + 3);
        assert_int_equal(app_faults(name), 0);
    }
}

static void names__users_and_emails(void **state)
{
    assert_true(names_is_user("mira.o+x@box_1-2"));
    assert_false(names_is_user(""));
    assert_false(names_is_user("a/b"));
    assert_false(names_is_user("a b"));
    assert_true(names_is_email("mira@example.net"));
    assert_false(names_is_email("mira"));
    assert_false(names_is_email("@example.net"));
    assert_false(names_is_email("mira@example"));
    assert_false(names_is_email("mira@-example.net"));
}

static void names__domains(void **state)
{
    static const char label63[] = "a12345678901234567890123456789012345678901234567890123456789012";
    static const char *const good[] = { "test-domain.example.com",
                                        "django.paas-sandbox",
                                        "domain",
                                        "3com.com",
                                        "w3.example.com",
                                        "MYDOMAIN.NET",
                                        "autotest.127.0.0.1.xip.io",
                                        "b.com." };
    static const char *const bad[] = { "this_is_an.invalid.domain",
                                       "this-is-an.invalid.1",
                                       "django.pass--sandbox",
                                       "domain1",
                                       "3333.com",
                                       "*.deis.example.com",
                                       "a..b",
                                       "",
                                       "a/b.xip.io",
                                       "a..xip.io",
                                       ".a.xip.io",
                                       "a.xip.io..",
                                       "-a.com" };
    deis_autojson json_t *body = json_object();
    struct fields f;

    fields_init(&f, body);
    for (size_t i = 0; i < DEIS_COUNT(good); i++) {
        deis_autofree char *name = names_check_domain(&f, good[i]);
        assert_non_null(name);
        assert_true(name[strlen(name) - 1] != '.');
    }
    assert_false(fields_failed(&f));
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_null(names_check_domain(&f, bad[i]));
    }
    deis_autofree char *just = deis_asprintf("not.too.%s", label63);
    deis_autofree char *over = deis_asprintf("too.%sx", label63);
    deis_autofree char *kept = names_check_domain(&f, just);
    assert_non_null(kept);
    assert_null(names_check_domain(&f, over));
    fields_clear(&f);
}

static void wildcard_is(const char *domain, bool good)
{
    deis_autojson json_t *body = json_object();
    struct fields f;

    fields_init(&f, body);
    deis_autofree char *name = names_check_wildcard(&f, domain, "apps.example.net");
    assert_int_equal(name != NULL, good);
    assert_int_equal(fields_failed(&f), !good);
    fields_clear(&f);
}

static void names__wildcards(void **state)
{
    wildcard_is("*.shop.test", true);
    wildcard_is("*.shop.test.", true);
    wildcard_is("*.a.b.shop.test", true);
    wildcard_is("*.xapps.example.net", true);
    wildcard_is("*.net.test", true);
    wildcard_is("*", false);
    wildcard_is("*.", false);
    wildcard_is("*.test", false);
    wildcard_is("**.shop.test", false);
    wildcard_is("*.*.shop.test", false);
    wildcard_is("*.-a.test", false);
    wildcard_is("shop.test", false);
    wildcard_is("*.apps.example.net", false);
    wildcard_is("*.Apps.Example.net", false);
    wildcard_is("*.blog.apps.example.net", false);
    wildcard_is("*.example.net", false);
    deis_autofree char *above = names_wildcard_above("www.shop.test");
    assert_string_equal(above, "*.shop.test");
    assert_null(names_wildcard_above("shop.test"));
    assert_null(names_wildcard_above("shop"));
    assert_null(names_wildcard_above("*.shop.test"));
}

static void names__images_of_the_own_registry_are_known(void **state)
{
    static const char *const own[] = {
        "127.0.0.1:5555/blog:git-1",
        "127.0.0.1:5555/blog",
        "localhost:5555/blog@sha256:00",
        "LOCALHOST/blog",
        "a.localhost:1/blog",
        "127.9.9.9/blog:x",
        "127.1:5555/blog",
        "0x7f.1:5555/blog",
        "2130706433:5555/blog",
        "0.0.0.0:5555/blog",
        "reg.internal:5/blog",
        "leads-to-loopback.example.com:5/blog", /* whatever it resolves to at the moment */
        "10.0.0.1:05/blog:git-1",
    };
    static const char *const foreign[] = { "blog",
                                           "acme/blog:1",
                                           "registry.example.com/blog",
                                           "10.0.0.1:5555/blog",
                                           "127/blog",
                                           "registry.example.com:/blog" };
    char name[256];

    for (size_t i = 0; i < DEIS_COUNT(own); i++) {
        if (!names_is_own_registry(own[i], "reg.internal:5", name)) {
            fail_msg("'%s' is not known", own[i]);
        }
        assert_string_equal(name, "blog");
    }
    for (size_t i = 0; i < DEIS_COUNT(foreign); i++) {
        assert_false(names_is_own_registry(foreign[i], "reg.internal:5", name));
    }
}

static void names__an_engines_id_is_no_image(void **state)
{
    /* The Engine takes the first digits of any image's id, also of another app's. */
    assert_false(names_is_image("sha256:3f"));
    assert_false(names_is_image("sha256:3f@sha256:00"));
    assert_true(names_is_image("sha256/x:1"));
    assert_true(names_is_image("blog@sha256:00"));
    assert_true(names_is_image("3f")); /* "3f:latest" */
}

static void names__platform_images_are_refused(void **state)
{
    char name[256];

    assert_true(names_is_platform_image("deis/router", name));
    assert_true(names_is_platform_image("10.0.0.1:5000/deis/builder:v1", name));
    assert_string_equal(name, "deis/builder");
    assert_true(names_is_platform_image("localhost/deis/builder@sha256:00", name));
    assert_false(names_is_platform_image("deis/example-go", name));
    assert_false(names_is_platform_image("mydeis/router", name));
}

/* --- keys --- */

#define ED25519 "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static void sshkey__accepts_a_line_with_comment_and_newline(void **state)
{
    deis_autobuf struct deis_buf blob = DEIS_BUF_INIT(4096);
    deis_autofree char *plain = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(sshkey_parse("ssh-ed25519 " ED25519 " mira@box\n", &blob, &plain, &err), 0);
    assert_int_equal(blob.len, 51);
    assert_string_equal(plain, "ssh-ed25519 " ED25519);
}

static void sshkey__refuses(void **state)
{
    static const struct {
        const char *key;
        const char *why;
    } cases[] = {
        { "ssh-rsa foo_bar", "Incorrect padding" },
        { "ssh-rsa", "The key must be a type word and a base64 text" },
        { "ssh-rsa " ED25519, "The type word and the key do not agree" },
        { "command=\"x\" ssh-ed25519 " ED25519, "Incorrect padding" },
        { "ssh-ed25519 " ED25519 "\nssh-ed25519 " ED25519,
          "The key must be one line of at most 16384 characters" },
        { "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAB", "The key is damaged" },
        { "ssh-dss AAAAB3NzaC1kc3M=", "Key type 'ssh-dss' is not supported" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autobuf struct deis_buf blob = DEIS_BUF_INIT(4096);
        struct deis_err err = DEIS_ERR_INIT;
        char *plain = NULL;
        assert_int_equal(sshkey_parse(cases[i].key, &blob, &plain, &err), DEIS_INVALID);
        assert_null(plain);
        assert_string_equal(err.msg, cases[i].why);
    }
}

static void sshkey__md5_is_sixteen_pairs(void **state)
{
    const uint8_t digest[16] = { 0x95, 0xe8, [15] = 0x0f };
    char out[48];

    sshkey_format_md5(digest, out);
    assert_string_equal(out, "95:e8:00:00:00:00:00:00:00:00:00:00:00:00:00:0f");
}

/* --- pages --- */

static void page__windows_and_links(void **state)
{
    struct page p;
    size_t first, count;
    struct deis_str query = DEIS_STR("x=1&page=2&page_size=2");

    assert_int_equal(page_parse(query, &p, NULL), 0);
    assert_int_equal(page_window(&p, 5, &first, &count, NULL), 0);
    assert_int_equal(first, 2);
    assert_int_equal(count, 2);
    deis_autojson json_t *doc = page_wrap(&p, 5, json_array(), "http://d/v1/apps", query);
    assert_string_equal(text(doc, "next"), "http://d/v1/apps?page=3&x=1&page_size=2");
    assert_string_equal(text(doc, "previous"), "http://d/v1/apps?page=1&x=1&page_size=2");

    assert_int_equal(page_parse(DEIS_STR("page=last&page_size=2"), &p, NULL), 0);
    assert_int_equal(page_window(&p, 5, &first, &count, NULL), 0);
    assert_int_equal(first, 4);
    assert_int_equal(count, 1);
    assert_int_equal(page_parse(DEIS_STR("page_size=0"), &p, NULL), 0);
    assert_int_equal(p.size, 100);
    assert_int_equal(page_window(&p, 0, &first, &count, NULL), 0);
    assert_int_equal(page_parse(DEIS_STR("page=9"), &p, NULL), 0);
    assert_int_equal(page_window(&p, 5, &first, &count, NULL), DEIS_NOT_FOUND);
    assert_int_equal(page_parse(DEIS_STR("page=x"), &p, NULL), DEIS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body__three_formats_give_one_object),
        cmocka_unit_test(body__faults_have_the_shapes_of_the_api),
        cmocka_unit_test(body__values_are_counted_before_they_are_made),
        cmocka_unit_test(fields__standard_messages),
        cmocka_unit_test(names__app_ids),
        cmocka_unit_test(names__users_and_emails),
        cmocka_unit_test(names__domains),
        cmocka_unit_test(names__wildcards),
        cmocka_unit_test(names__an_engines_id_is_no_image),
        cmocka_unit_test(names__platform_images_are_refused),
        cmocka_unit_test(names__images_of_the_own_registry_are_known),
        cmocka_unit_test(sshkey__accepts_a_line_with_comment_and_newline),
        cmocka_unit_test(sshkey__refuses),
        cmocka_unit_test(sshkey__md5_is_sixteen_pairs),
        cmocka_unit_test(page__windows_and_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
