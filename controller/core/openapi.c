/* SPDX-License-Identifier: MIT */
#include "controller/core/openapi.h"

#include "controller/core/openapi_rows.h"

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain"

/* The schema of a type's word, without suffixes. */
static json_t *plain_type(struct deis_str word)
{
    if (deis_str_eq_cstr(word, "any")) {
        return json_object();
    }
    if (deis_str_eq_cstr(word, "time")) {
        return json_pack("{s:s, s:s}", "type", "string", "description",
                         "UTC, 2026-03-05T17:14:27UTC or 2026-03-05T17:14:27.123456Z");
    }
    if (deis_str_eq_cstr(word, "texts") || deis_str_eq_cstr(word, "counts")) {
        return json_pack("{s:s, s:{s:s}}", "type", "object", "additionalProperties", "type",
                         deis_str_eq_cstr(word, "texts") ? "string" : "integer");
    }
    if (word.len > 0 && word.ptr[0] >= 'A' && word.ptr[0] <= 'Z') {
        deis_autofree char *ref = deis_asprintf("#/components/schemas/%.*s", DEIS_STR_ARG(word));
        return json_pack("{s:s}", "$ref", ref);
    }
    return json_pack("{s:s%}", "type", word.ptr, word.len);
}

/* Likewise with suffixes; *ret_optional: it may be absent. */
static json_t *type_schema(struct deis_str type, bool *ret_optional)
{
    bool array = false, null = false;

    *ret_optional = false;
    while (type.len > 0 && strchr("?~]", type.ptr[type.len - 1])) {
        char last = type.ptr[type.len - 1];
        type = deis_str_first(type, type.len - (last == ']' ? 2 : 1));
        array = array || last == ']';
        null = null || last == '?';
        *ret_optional = *ret_optional || last == '~';
    }
    json_t *schema = plain_type(type);
    if (array) {
        schema = json_pack("{s:s, s:o}", "type", "array", "items", schema);
    }
    if (null) {
        schema = json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
    }
    return schema;
}

/* One "name:type" of a list; false at its end. */
static bool next_member(struct deis_str *members, struct deis_str *ret_name,
                        struct deis_str *ret_type)
{
    struct deis_str word;

    if (members->len == 0 || !deis_str_split(members, ' ', &word)) {
        return false;
    }
    ptrdiff_t colon = deis_str_find(word, ':');
    size_t at = colon < 0 ? word.len : (size_t)colon;
    *ret_name = deis_str_first(word, at);
    *ret_type = deis_str_skip(word, at + (colon >= 0));
    return true;
}

/* closed: nothing but these members. */
static json_t *object_schema(const char *members, bool closed)
{
    struct deis_str rest = deis_str(members), name, type;
    json_t *properties = json_object();
    json_t *required = json_array();

    while (next_member(&rest, &name, &type)) {
        bool optional;
        json_object_setn_new(properties, name.ptr, name.len, type_schema(type, &optional));
        if (!optional) {
            json_array_append_new(required, json_stringn(name.ptr, name.len));
        }
    }
    json_t *schema = json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties,
                               "required", required);
    if (closed) {
        json_object_set_new(schema, "additionalProperties", json_false());
    }
    return schema;
}

static json_t *page_schema(struct deis_str of)
{
    bool unused;

    return json_pack("{s:s, s:{s:{s:s}, s:{s:[s, s]}, s:{s:[s, s]}, s:{s:s, s:o}}, "
                     "s:[s, s, s, s], s:b}",
                     "type", "object", "properties", "count", "type", "integer", "next", "type",
                     "string", "null", "previous", "type", "string", "null", "results", "type",
                     "array", "items", type_schema(of, &unused), "required", "count", "next",
                     "previous", "results", "additionalProperties", 0);
}

/* {"description", "content"} of one answer. */
static json_t *answer_of(struct deis_str schema)
{
    json_t *answer = json_pack("{s:s}", "description", "Done");
    bool unused;

    if (schema.len == 0) {
        return answer;
    }
    if (deis_str_eq_cstr(schema, "text")) {
        json_object_set_new(answer, "content",
                            json_pack("{s:{s:{s:s}}}", TEXT_TYPE, "schema", "type", "string"));
        return answer;
    }
    json_t *body = deis_str_ends(schema, "*") ? page_schema(deis_str_first(schema, schema.len - 1))
                                              : type_schema(schema, &unused);
    json_object_set_new(answer, "content", json_pack("{s:{s:o}}", JSON_TYPE, "schema", body));
    return answer;
}

static json_t *answers_of(const char *answers)
{
    struct deis_str rest = deis_str(answers), status, schema;
    json_t *out = json_object();

    while (next_member(&rest, &status, &schema)) {
        json_object_setn_new(out, status.ptr, status.len, answer_of(schema));
    }
    json_t *error =
        json_pack("{s:{s:{s:s}}}", JSON_TYPE, "schema", "$ref", "#/components/schemas/Error");
    if (strstr(answers, "text")) {
        json_object_set_new(error, TEXT_TYPE, json_pack("{s:{s:s}}", "schema", "type", "string"));
    }
    json_object_set_new(
        out, "default",
        json_pack("{s:s, s:o}", "description", "Refused or failed", "content", error));
    return out;
}

static void add_parameter(json_t *list, struct deis_str name, const char *where, json_t *schema)
{
    json_array_append_new(list, json_pack("{s:s%, s:s, s:b, s:o}", "name", name.ptr, name.len, "in",
                                          where, "required", strcmp(where, "path") == 0, "schema",
                                          schema));
}

/* The path in the notation of OpenAPI, its parameters added to the list. */
static char *path_of(const char *pattern, json_t *parameters)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1024);
    struct deis_str rest = deis_str(pattern), part;
    bool first = true;

    while (deis_str_split(&rest, '/', &part)) {
        ptrdiff_t colon = deis_str_find(part, ':');
        deis_buf_add_cstr(&out, first ? "" : "/");
        first = false;
        if (colon < 0) {
            deis_buf_add_str(&out, part);
            continue;
        }
        struct deis_str name = deis_str_skip(part, (size_t)colon + 1);
        deis_buf_add_str(&out, deis_str_first(part, (size_t)colon));
        deis_buf_addf(&out, "{%.*s}", DEIS_STR_ARG(name));
        add_parameter(parameters, name, "path", json_pack("{s:s}", "type", "string"));
    }
    return deis_buf_take(&out, NULL);
}

static void add_query(json_t *parameters, const struct openapi_row *row)
{
    struct deis_str rest = deis_str(row->query ? row->query : ""), name, type;
    bool unused;

    while (next_member(&rest, &name, &type)) {
        add_parameter(parameters, name, "query", type_schema(type, &unused));
    }
    if (strchr(row->answers, '*')) {
        add_parameter(parameters, DEIS_STR("page"), "query", json_object());
        add_parameter(parameters, DEIS_STR("page_size"), "query",
                      json_pack("{s:s}", "type", "integer"));
    }
}

static json_t *security_of(enum access_right right)
{
    switch (right) {
    case ACCESS_ANYONE: return json_array();
    case ACCESS_HOOK: return json_pack("[{s:[]}]", "builder");
    case ACCESS_USER:
    case ACCESS_ADMIN:
    case ACCESS_APP_USE:
    case ACCESS_APP_OWN:
    case ACCESS_APP_REVOKE: break;
    }
    return json_pack("[{s:[]}]", "token");
}

static void add_route(json_t *paths, const struct route *route, const char *name)
{
    const struct openapi_row *row = &openapi_rows[route->id];
    json_t *parameters = json_array();
    deis_autofree char *path = path_of(route->pattern, parameters);
    deis_autofree char *method = deis_strdup(route->method);

    for (char *p = method; *p; p++) {
        *p = (char)(*p + ('a' - 'A'));
    }
    add_query(parameters, row);
    json_t *operation = json_pack("{s:s, s:s, s:o, s:o, s:o}", "operationId", name, "summary",
                                  row->summary, "parameters", parameters, "security",
                                  security_of(route->right), "responses", answers_of(row->answers));
    if (row->body) {
        json_object_set_new(operation, "requestBody",
                            json_pack("{s:{s:{s:o}}}", "content", JSON_TYPE, "schema",
                                      object_schema(row->body, false)));
    }
    json_t *item = json_object_get(paths, path);
    if (!item) {
        item = json_object();
        json_object_set_new(paths, path, item);
    }
    json_object_set_new(item, method, operation);
}

static json_t *components(void)
{
    json_t *schemas = json_object();

    for (const struct openapi_schema *s = openapi_schemas; s->name; s++) {
        json_object_set_new(schemas, s->name, object_schema(s->members, true));
    }
    json_object_set_new(schemas, "Error",
                        json_pack("{s:s, s:s, s:{s:[{s:s}, {s:s, s:{s:s}}]}}", "type", "object",
                                  "description",
                                  "{\"detail\": text}, {\"error\": text}, or the faults of each "
                                  "field as lists",
                                  "additionalProperties", "anyOf", "type", "string", "type",
                                  "array", "items", "type", "string"));
    return json_pack("{s:o, s:{s:{s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s}}}", "schemas", schemas,
                     "securitySchemes", "token", "type", "apiKey", "in", "header", "name",
                     "Authorization", "description", "token <40 hex digits>", "builder", "type",
                     "apiKey", "in", "header", "name", "X-Deis-Builder-Auth");
}

json_t *openapi_document(const char *server)
{
    static const char *const names[] = {
#define OPENAPI_NAME(method, pattern, handler, right) #handler,
        CONTROLLER_ROUTES(OPENAPI_NAME)
#undef OPENAPI_NAME
    };
    const struct route *routes = route_table();
    json_t *paths = json_object();

    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        add_route(paths, &routes[i], names[i]);
    }
    return json_pack("{s:s, s:{s:s, s:s}, s:[{s:s}], s:o, s:o}", "openapi", "3.1.0", "info",
                     "title", "Deis", "version", "1.7", "servers", "url", server, "paths", paths,
                     "components", components());
}
