/* SPDX-License-Identifier: MIT */
#include "scheduler/core/container_spec.h"
#include "tests/support/test.h"

static void container_spec__is_the_template(void **state)
{
    deis_autojson json_t *env = json_pack("{s:s}", "A", "1");
    deis_autojson json_t *labels = json_pack("{s:s}", "deis.unit", "u");
    char web[] = "start", *command[] = { web, web, NULL };
    struct container_spec s = { .image = "img",
                                .command = command,
                                .env = env,
                                .port = 5000,
                                .memory_bytes = 67108864,
                                .cpu_shares = 512,
                                .pids_limit = 256,
                                .network = "deis-apps",
                                .init = true,
                                .labels = labels };
    deis_autojson json_t *body = container_spec_body(&s);
    deis_autofree char *text = deis_json_dump(body);

    assert_string_equal(
        text,
        "{\"Image\":\"img\",\"Env\":[\"A=1\",\"PORT=5000\"],\"Labels\":{\"deis.unit\":\"u\"},"
        "\"HostConfig\":{\"NetworkMode\":\"deis-apps\",\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"CHOWN\","
        "\"DAC_OVERRIDE\",\"FOWNER\",\"SETUID\",\"SETGID\",\"NET_BIND_SERVICE\",\"KILL\"],"
        "\"SecurityOpt\":[\"no-new-privileges\"],\"PidsLimit\":256,\"RestartPolicy\":{\"Name\":\"no\"},"
        "\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10m\",\"max-file\":\"5\"}},"
        "\"Memory\":67108864,\"MemorySwap\":67108864,\"CpuShares\":512,\"Init\":true},"
        "\"Cmd\":[\"start\",\"start\"]}");
}

static void container_spec__of_an_attached_one(void **state)
{
    deis_autojson json_t *env = json_object();
    deis_autojson json_t *labels = json_object();
    struct container_spec s = { .image = "img",
                                .env = env,
                                .network = "n",
                                .labels = labels,
                                .attached = true,
                                .tty = true,
                                .term = "xterm" };
    deis_autojson json_t *body = container_spec_body(&s);
    deis_autofree char *text = deis_json_dump(body);

    assert_non_null(strstr(text, "\"Env\":[\"TERM=xterm\"]"));
    assert_non_null(strstr(text, "\"LogConfig\":{\"Type\":\"none\"}"));
    assert_non_null(strstr(text, "\"OpenStdin\":true,\"StdinOnce\":true,\"Tty\":true}"));
    json_object_set_new(env, "TERM", json_string("dumb"));
    s.tty = false;
    deis_autojson json_t *other = container_spec_body(&s);
    deis_autofree char *other_text = deis_json_dump(other);
    assert_non_null(strstr(other_text, "\"Env\":[\"TERM=dumb\"]"));
    assert_non_null(strstr(other_text, "\"Tty\":false}"));
}

static void container_spec__a_configured_port_is_left_alone(void **state)
{
    deis_autojson json_t *env = json_pack("{s:s}", "PORT", "8080");
    deis_autojson json_t *labels = json_object();
    struct container_spec s = {
        .image = "i", .env = env, .port = 8080, .network = "n", .labels = labels
    };
    deis_autojson json_t *body = container_spec_body(&s);

    assert_int_equal(json_array_size(json_object_get(body, "Env")), 1);
    assert_null(json_object_get(body, "Cmd"));
    assert_null(json_object_get(json_object_get(body, "HostConfig"), "Memory"));
}

static void container_spec__chooses_the_port(void **state)
{
    static const struct {
        const char *env;
        const char *image;
        unsigned port;
    } cases[] = {
        { "{}", "{}", 5000 },
        { "{\"PORT\":\"8080\"}", "{\"Config\":{\"ExposedPorts\":{\"80/tcp\":{}}}}", 8080 },
        { "{\"PORT\":\"0\"}", "{\"Config\":{\"ExposedPorts\":{\"80/tcp\":{}}}}", 80 },
        { "{\"PORT\":\"none\"}", "{\"Config\":{\"ExposedPorts\":null}}", 5000 },
        { "{}", "{\"Config\":{\"ExposedPorts\":{\"9000/tcp\":{},\"53/udp\":{},\"3000\":{}}}}",
          3000 },
        { "{}", "{\"Config\":{\"ExposedPorts\":{\"99999/tcp\":{}}}}", 5000 },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autojson json_t *env = deis_json_parse(deis_str(cases[i].env), NULL);
        deis_autojson json_t *image = deis_json_parse(deis_str(cases[i].image), NULL);
        assert_int_equal(container_spec_port(env, image), cases[i].port);
    }
}

static void container_spec__finds_the_address(void **state)
{
    deis_autojson json_t *c = deis_json_parse(
        DEIS_STR("{\"NetworkSettings\":{\"Networks\":{\"a\":{\"IPAddress\":\"172.18.0.2\"},"
                 "\"b\":{\"IPAddress\":\"\"}}}}"),
        NULL);

    assert_string_equal(container_spec_address(c, "a"), "172.18.0.2");
    assert_null(container_spec_address(c, "b"));
    assert_null(container_spec_address(c, "c"));
    assert_null(container_spec_address(NULL, "c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(container_spec__is_the_template),
        cmocka_unit_test(container_spec__of_an_attached_one),
        cmocka_unit_test(container_spec__a_configured_port_is_left_alone),
        cmocka_unit_test(container_spec__chooses_the_port),
        cmocka_unit_test(container_spec__finds_the_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
