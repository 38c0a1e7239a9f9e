/* SPDX-License-Identifier: MIT */
/* What the client reads from a controller and from files; the first byte chooses the reader. */
#include "client/core/answer.h"
#include "client/core/command.h"
#include "client/core/logline.h"
#include "client/core/pairs.h"
#include "client/core/profile.h"
#include "client/core/pubkey.h"
#include "client/core/remote.h"
#include "client/core/shape.h"
#include "client/core/show.h"

#define OUT_MAX (1024 * 1024)
#define NOW     1772730867

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show_all(struct deis_str text, struct deis_buf *out)
{
    struct deis_err err;
    json_t *results = NULL;
    long total = 0;
    deis_autojson json_t *value = deis_json_parse(text, &err);

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (command_table[i].json) {
            json_decref(shape_apply(command_table[i].json, value));
            json_decref(shape_apply(command_table[i].json, json_object_get(value, "results")));
        }
    }
    show_app(value, out);
    show_release("app", value, out);
    show_config("app", value, true, out);
    show_config("app", value, false, out);
    show_limits("app", value, out);
    show_tags("app", value, out);
    show_names(json_object_get(value, "users"), out);
    if (answer_list(value, &results, &total, &err) == 0) {
        show_count(json_array_size(results), total, out);
        show_processes("app", results, total, out);
        show_process_details("app", results, total, NOW, out);
        show_tokens(results, out);
        show_audit(results, out);
        show_builds(results, out);
        show_releases(results, out);
        show_keys(results, out);
        show_certs(results, out);
        show_sorted(results, "id", out);
    }
}

static void read_files(struct deis_str text, struct deis_buf *out)
{
    struct profile p;
    struct deis_err err;
    char *id = NULL;
    deis_autojson json_t *env = pairs_env_file(text, out);

    pairs_format_env(env, out);
    if (profile_parse(text, &p, &err) == 0) {
        free(profile_format(&p));
        free(profile_base_url(p.controller));
        free(profile_host(p.controller));
        profile_clear(&p);
    }
    if (pubkey_id("id.pub", text, &id, &err) == 0) {
        free(id);
    }
    free(remote_app(text, "deis.example.net"));
    free(remote_name(text, "deis.example.net", "blog"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autobuf struct deis_buf other = DEIS_BUF_INIT(OUT_MAX);

    if (size == 0) {
        return 0;
    }
    struct deis_str text = deis_str_n((const char *)data + 1, size - 1);
    switch (data[0] % 4) {
    case 0: answer_error(400, "BAD REQUEST", text, &out, &other); break;
    case 1: show_all(text, &out); break;
    case 2:
        logline_add_all(text, LOGLINE_COLOURED, true, &out);
        logline_add_all(text, LOGLINE_JSON, true, &out);
        break;
    case 3: read_files(text, &out); break;
    }
    return 0;
}
