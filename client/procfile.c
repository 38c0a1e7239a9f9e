/* SPDX-License-Identifier: MIT */
#include "client/client.h"

#include <yaml.h>

#define TYPES_MAX 100

static int add_pair(yaml_document_t *doc, const yaml_node_pair_t *pair, json_t *map,
                    struct deis_err *err)
{
    const yaml_node_t *key = yaml_document_get_node(doc, pair->key);
    const yaml_node_t *value = yaml_document_get_node(doc, pair->value);

    if (key->type != YAML_SCALAR_NODE || value->type != YAML_SCALAR_NODE) {
        return deis_err_set(err, DEIS_INVALID, "yaml: line %zu: must be a type and its command",
                            key->start_mark.line + 1);
    }
    json_t *text = json_stringn((const char *)value->data.scalar.value, value->data.scalar.length);
    if (!text || json_object_set_new(map, (const char *)key->data.scalar.value, text) < 0) {
        return deis_err_set(err, DEIS_INVALID, "yaml: line %zu: text is not valid UTF-8",
                            key->start_mark.line + 1);
    }
    return 0;
}

static int read_map(yaml_document_t *doc, json_t *map, struct deis_err *err)
{
    const yaml_node_t *root = yaml_document_get_root_node(doc);

    if (!root) {
        return 0;
    }
    if (root->type != YAML_MAPPING_NODE) {
        return deis_err_set(err, DEIS_INVALID, "yaml: must be a map of process types to commands");
    }
    const yaml_node_pair_t *start = root->data.mapping.pairs.start;
    const yaml_node_pair_t *top = root->data.mapping.pairs.top;
    if (top - start > TYPES_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "yaml: more than %d process types", TYPES_MAX);
    }
    for (const yaml_node_pair_t *pair = start; pair < top; pair++) {
        int r = add_pair(doc, pair, map, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int procfile_parse(struct deis_str yaml, json_t **ret, struct deis_err *err)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    int r = 0;

    *ret = NULL;
    if (!yaml_parser_initialize(&parser)) {
        return deis_err_set(err, DEIS_INTERNAL, "yaml: can't start");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.ptr, yaml.len);
    if (!yaml_parser_load(&parser, &doc)) {
        r = deis_err_set(err, DEIS_INVALID, "yaml: line %zu: %s", parser.problem_mark.line + 1,
                         parser.problem ? parser.problem : "can't be read");
    } else {
        deis_autojson json_t *map = json_object();
        r = read_map(&doc, map, err);
        if (r == 0) {
            *ret = json_incref(map);
        }
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return r;
}
