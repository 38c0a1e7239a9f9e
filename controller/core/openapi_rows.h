/* SPDX-License-Identifier: MIT */
/*
 * What the table of routes does not say of each route, in short notations that openapi.c expands.
 *
 * Members: "name:type ..." where type is string, integer, boolean, time, any, texts (object of
 * strings), counts (object of integers) or the name of a schema; then maybe [] (array of it),
 * ? (or null), ~ (may be absent).
 * Answers: "status[:schema] ..." where schema is a name, a name with [] (array) or * (page of a
 * list), or `text`; none = no body.
 */
#ifndef CONTROLLER_CORE_OPENAPI_ROWS_H
#define CONTROLLER_CORE_OPENAPI_ROWS_H

struct openapi_row {
    const char *summary;
    const char *answers;
    const char *body;  /* members of the request, or NULL */
    const char *query; /* parameters beside page and page_size, or NULL */
};

struct openapi_schema {
    const char *name;
    const char *members;
};

/* One for each route. */
extern const struct openapi_row openapi_rows[];
/* Ends with a name of NULL. */
extern const struct openapi_schema openapi_schemas[];

#endif
