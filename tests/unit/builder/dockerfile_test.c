/* SPDX-License-Identifier: MIT */
#include "builder/core/dockerfile.h"
#include "tests/support/test.h"

#define ID(digit)                                                                                  \
    "sha256:" digit "00000000000000000000000000000000000000000000000000000000000000" digit

/* What was asked for, in order, each behind a comma. */
static char asked[1024];

static int find(const char *reference, char ret_id[DOCKERFILE_ID_LEN + 1], void *arg,
                struct deis_err *err)
{
    size_t len = strlen(asked);

    snprintf(asked + len, sizeof(asked) - len, ",%s", reference);
    if (strcmp(reference, "absent") == 0) {
        return deis_err_set(err, DEIS_NOT_FOUND, "no image 'absent'");
    }
    snprintf(ret_id, DOCKERFILE_ID_LEN + 1, "%s", strcmp(reference, "b") == 0 ? ID("b") : ID("a"));
    return DEIS_OK;
}

static void becomes(const char *text, const char *names, const char *expected)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(4 * DOCKERFILE_LINE_MAX);
    struct deis_err err = DEIS_ERR_INIT;

    asked[0] = '\0';
    if (dockerfile_rewrite(deis_str(text), find, NULL, &out, &err) < 0) {
        fail_msg("'%s': %s", text, err.msg);
    }
    assert_string_equal(out.data, expected);
    assert_string_equal(asked, names);
}

static void is_refused(const char *text, const char *why)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(4 * DOCKERFILE_LINE_MAX);
    struct deis_err err = DEIS_ERR_INIT;

    asked[0] = '\0';
    if (dockerfile_rewrite(deis_str(text), find, NULL, &out, &err) == DEIS_OK) {
        fail_msg("'%s' is taken: %s", text, out.data);
    }
    if (!strstr(err.msg, why)) {
        fail_msg("'%s': '%s' lacks '%s'", text, err.msg, why);
    }
}

static void dockerfile__names_become_ids(void **state)
{
    becomes("FROM a", ",a", "FROM " ID("a") "\n");
    becomes("from a:1 as Build\nRUN x\nFROM b\nCOPY --from=build --chown=1:2 /x /y\n", ",a:1,b",
            "FROM " ID("a") " AS stage.Build\nRUN x\nFROM " ID(
                "b") "\nCOPY --from=stage.build --chown=1:2 /x /y\n");
    becomes("FROM scratch\nFROM --platform=$P a\nCOPY --from=0 a b\nCOPY --from=c/d@sha256:1 a b",
            ",a,c/d@sha256:1",
            "FROM scratch\nFROM --platform=$P " ID("a") "\nCOPY --from=0 a b\nCOPY --from=" ID(
                "a") " a b\n");
}

static void dockerfile__a_stage_is_known_behind_its_end_only(void **state)
{
    becomes("FROM a AS b\nCOPY --from=b x y\nFROM b\nCOPY --from=B x y\n", ",a,b",
            "FROM " ID("a") " AS stage.b\nCOPY --from=" ID(
                "b") " x y\nFROM stage.b\nCOPY --from=stage.B x y\n");
    /* More than an index can be: the Engine would look for an image. */
    becomes("FROM a\nCOPY --from=00000000000000000000001 x y", ",a",
            "FROM " ID("a") "\nCOPY --from=1 x y\n");
    becomes("FROM a\nCOPY --from=101 x y", ",a,101",
            "FROM " ID("a") "\nCOPY --from=" ID("a") " x y\n");
}

static void dockerfile__variables_are_filled_in(void **state)
{
    becomes("ARG V=3\nARG W\nFROM a:$V", ",a:3", "ARG V=3\nARG W\nFROM " ID("a") "\n");
    becomes("ARG a='b' c=\"d e\"\nFROM ${a}${W:-x}${a:+y}${W-z}${W}", ",bxyz",
            "ARG a='b' c=\"d e\"\nFROM " ID("a") "\n");
    becomes("ARG R=127.0.0.1:5555\nARG N=$R/x\nFROM \"${N:-no}\":git-1", ",127.0.0.1:5555/x:git-1",
            "ARG R=127.0.0.1:5555\nARG N=$R/x\nFROM " ID("a") "\n");
    becomes("FROM a\nARG V=3\nRUN echo $V", ",a", "FROM " ID("a") "\nARG V=3\nRUN echo $V\n");
    becomes("FROM a\nCOPY --chown=${U}:$G --from=b x $y", ",a,b",
            "FROM " ID("a") "\nCOPY --chown=${U}:$G --from=" ID("b") " x $y\n");
    is_refused("FROM ${a", "line 1");
    is_refused("FROM ${a%x}", "modifier");
    is_refused("FROM $", "'$'");
    is_refused("FROM \"a", "quote");
    is_refused("FROM $x", "names no image");
    is_refused("ARG V=3\nFROM a\nCOPY --from=a$V x y", "no name of an image");
}

static void dockerfile__lines_are_joined_and_keep_their_places(void **state)
{
    becomes("# a comment\n\nFROM a\r\nRUN x && \\\n  # not this\n\n  y\\  \n z\nCMD q\n", ",a",
            "\n\nFROM " ID("a") "\nRUN x &&   y z\n\n\n\n\nCMD q\n");
    becomes("FR\\\nOM a\nCO\\\nPY \\\n--fr\\\nom\\\n=b x y", ",a,b",
            "FROM " ID("a") "\n\nCOPY --from=" ID("b") " x y\n");
    becomes("# syntax=x/y\n# escape=`\nFROM a\nRUN x `\n  y \\\nCMD z", ",a",
            "# escape=`\n\nFROM " ID("a") "\nRUN x   y \\\n\nCMD z\n");
    /* Once anything else has come it is a comment. */
    becomes("\n# escape=`\nFROM a\nRUN \\\n x", ",a", "\n\nFROM " ID("a") "\nRUN x\n");
    /* What would draw the next line in. */
    becomes("FROM a\nRUN x \\\\\n\\", ",a", "FROM " ID("a") "\nRUN x\n");
    becomes("\xef\xbb\xbf"
            "FROM a",
            ",a", "FROM " ID("a") "\n");
    becomes("", "", "");
}

static void dockerfile__nothing_is_read_in_two_ways(void **state)
{
    is_refused("\xc2\xa0"
               "FROM b",
               "line 1: unknown instruction"); /* a blank to the Engine */
    is_refused("FROM a\n\xe2\x80\x83"
               "COPY --from=b x y",
               "line 2: unknown instruction");
    is_refused("FROM a\nCOPY \xc2\xa0--from=b x y", "is no flag");
    is_refused("FROM a\nCOPY --chown=1\xc2\xa0--from=b x y", "quotes and escapes");
    is_refused("FROM a\nCOPY --fr\"om\"=b x y", "quotes and escapes");
    is_refused("FROM a\nCOPY '--from=b' x y", "is no flag");
    is_refused("FROM a\nADD x --from=b y", "is no flag");
    is_refused("FROM a\nONBUILD COPY --from=b x y", "ONBUILD");
    is_refused("FROM a\nONBUILD COPY --fr\\om=b x y", "ONBUILD");
    is_refused("FROM a\nRUN x\vCOPY", "line 2: control characters");
    is_refused("FROM a\nRUN \r x", "control characters");
    is_refused("FROM --platform='x' a", "flag");
    is_refused("FROM --from=b a", "flag");
    is_refused("FROM a b", "FROM takes");
    is_refused("FROM a AS x y", "FROM takes");
    is_refused("FROM a AS \xc2\xa0", "stage");
    is_refused("FROM 'a b'", "no name of an image");
    is_refused("FROM", "names no image");
    is_refused("FROM absent", "line 1: no image 'absent'");
    is_refused("FROM a\nC-PY x y", "unknown instruction: C-PY");
    is_refused("# escape=x\nFROM a", "escape");
}

static void dockerfile__what_is_no_image_passes(void **state)
{
    static const char text[] =
        "LABEL a=b\nENV x \"y\\\"\nCOPY [\"a b\", \"/\"]\nADD --chown=1 a b\n"
        "ONBUILD COPY . /app\nRUN echo --from=b <<x\nNONSENSE\n";

    becomes(text, "", text);
}

static void dockerfile__limits_hold(void **state)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(1u << 20);

    for (unsigned i = 0; i <= DOCKERFILE_STAGES_MAX; i++) {
        deis_buf_add_cstr(&text, "FROM a\n");
    }
    is_refused(text.data, "stages");
    deis_buf_reset(&text);
    deis_buf_add_cstr(&text, "FROM scratch\nCOPY ");
    for (unsigned i = 0; i <= DOCKERFILE_IMAGES_MAX; i++) {
        deis_buf_add_cstr(&text, "--from=b ");
    }
    is_refused(text.data, "line 2: more than 200 images");
    deis_buf_reset(&text);
    for (unsigned i = 0; i <= DOCKERFILE_ARGS_MAX; i++) {
        deis_buf_add_cstr(&text, "ARG a=$a$a$ax\n");
    }
    is_refused(text.data, "ARGs");
    deis_buf_reset(&text);
    deis_buf_add_cstr(&text, "ARG a=xxxxxxxxxxxxxxxx\n");
    for (unsigned i = 0; i < 20; i++) {
        deis_buf_add_cstr(&text, "ARG a=$a$a\n");
    }
    is_refused(text.data, "is over 4096 bytes");
    deis_buf_reset(&text);
    deis_buf_add_cstr(&text, "FROM a\nRUN ");
    for (unsigned i = 0; i < DOCKERFILE_LINE_MAX; i++) {
        deis_buf_add_char(&text, 'x');
    }
    is_refused(text.data, "line 2: an instruction is over");
    deis_buf_reset(&text);
    deis_buf_add_cstr(&text, "FROM ");
    for (unsigned i = 0; i <= DOCKERFILE_REFERENCE; i++) {
        deis_buf_add_char(&text, 'x');
    }
    is_refused(text.data, "no name of an image");
    is_refused("FROM ${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-b}}}}}}}}}", "nested");
}

static void dockerfile__triggers_that_name_images_are_told(void **state)
{
    assert_true(dockerfile_trigger_ok(DEIS_STR("COPY . /app")));
    assert_true(dockerfile_trigger_ok(DEIS_STR("RUN npm install")));
    assert_false(dockerfile_trigger_ok(DEIS_STR("COPY --from=x a b")));
    assert_false(dockerfile_trigger_ok(DEIS_STR("copy --chown=1 --fr\"o\"m=x a b")));
    assert_false(dockerfile_trigger_ok(DEIS_STR("COPY --f`rom=x a b")));
    assert_false(dockerfile_trigger_ok(DEIS_STR("# escape=`\nCOPY . /app")));
    assert_false(dockerfile_trigger_ok(DEIS_STR("COPY --fr\\\n# c\nom=x a b")));
    assert_false(dockerfile_trigger_ok(DEIS_STR("COPY --f\0rom=x a b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dockerfile__names_become_ids),
        cmocka_unit_test(dockerfile__a_stage_is_known_behind_its_end_only),
        cmocka_unit_test(dockerfile__variables_are_filled_in),
        cmocka_unit_test(dockerfile__lines_are_joined_and_keep_their_places),
        cmocka_unit_test(dockerfile__nothing_is_read_in_two_ways),
        cmocka_unit_test(dockerfile__what_is_no_image_passes),
        cmocka_unit_test(dockerfile__limits_hold),
        cmocka_unit_test(dockerfile__triggers_that_name_images_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
