/* SPDX-License-Identifier: MIT */
#include "registry-proxy/core/manifest.h"
#include "tests/support/test.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define INDEX "application/vnd.oci.image.index.v1+json"

static int parse(const char *text, const char *type, struct manifest_refs *refs)
{
    struct deis_err err = DEIS_ERR_INIT;

    return manifest_parse(deis_str(text), deis_str(type), refs, &err);
}

static void manifest__an_image_names_its_config_and_layers(void **state)
{
    struct manifest_refs refs;

    assert_int_equal(parse("{\"config\":{\"digest\":\"sha256:" HEX_A "\"},"
                           "\"layers\":[{\"digest\":\"sha256:" HEX_B "\"}]}",
                           IMAGE, &refs),
                     0);
    assert_int_equal(refs.blob_count, 2);
    assert_string_equal(refs.blobs[0], HEX_A);
    assert_string_equal(refs.blobs[1], HEX_B);
    assert_string_equal(refs.media_type, IMAGE);
    manifest_refs_clear(&refs);
}

static void manifest__an_index_names_manifests(void **state)
{
    struct manifest_refs refs;

    assert_int_equal(parse("{\"mediaType\":\"" INDEX "\",\"manifests\":[{\"digest\":\"sha256:" HEX_A
                           "\"}]}",
                           "", &refs),
                     0);
    assert_int_equal(refs.blob_count, 0);
    assert_int_equal(refs.manifest_count, 1);
    manifest_refs_clear(&refs);
}

static void manifest__foreign_layers_are_not_expected_here(void **state)
{
    struct manifest_refs refs;

    assert_int_equal(parse("{\"config\":{\"digest\":\"sha256:" HEX_A "\"},\"layers\":[{\"digest\":"
                           "\"sha256:" HEX_B "\",\"urls\":[\"https://example.com/x\"]}]}",
                           IMAGE, &refs),
                     0);
    assert_int_equal(refs.blob_count, 1);
    manifest_refs_clear(&refs);
}

static void manifest__what_is_none_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *type;
    } cases[] = {
        { "", IMAGE },
        { "[]", IMAGE },
        { "{}", IMAGE },
        { "{}", "" },
        { "{}", "text/html" },
        { "{\"mediaType\":7}", "" },
        { "{\"config\":{\"digest\":\"sha256:../../x\"},\"layers\":[]}", IMAGE },
        { "{\"config\":{\"digest\":\"sha256:" HEX_A "\"},\"layers\":{}}", IMAGE },
        { "{\"config\":{\"digest\":\"sha256:" HEX_A "\"},\"layers\":[1]}", IMAGE },
        { "{\"manifests\":[{\"digest\":null}]}", INDEX },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct manifest_refs refs;
        assert_int_equal(parse(cases[i].text, cases[i].type, &refs), DEIS_INVALID);
        assert_int_equal(refs.blob_count, 0);
    }
}

static void manifest__both_media_types_must_agree(void **state)
{
    const char *text = "{\"mediaType\":\"" IMAGE "\",\"config\":{\"digest\":\"sha256:" HEX_A
                       "\"},\"layers\":[],\"manifests\":[]}";
    struct manifest_refs refs;

    assert_int_equal(parse(text, INDEX, &refs), DEIS_INVALID);
    assert_int_equal(parse(text, IMAGE, &refs), 0);
    manifest_refs_clear(&refs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest__an_image_names_its_config_and_layers),
        cmocka_unit_test(manifest__an_index_names_manifests),
        cmocka_unit_test(manifest__foreign_layers_are_not_expected_here),
        cmocka_unit_test(manifest__what_is_none_is_refused),
        cmocka_unit_test(manifest__both_media_types_must_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
