/* SPDX-License-Identifier: MIT */
/* What commands print of the controller's answers. Values are borrowed. thread: any */
#ifndef CLIENT_CORE_SHOW_H
#define CLIENT_CORE_SHOW_H

#include "lib/wire/json.h"

/* "\n", or " (2 of 7)\n" when that many of all are shown. */
void show_count(size_t shown, long total, struct deis_buf *out);
/* One line for each object: the text of its member, sorted. */
void show_sorted(const json_t *objects, const char *member, struct deis_buf *out);
/* An array of texts, sorted, one a line. */
void show_names(const json_t *names, struct deis_buf *out);
/* Key and value in two columns that are `gap` apart, sorted. */
void show_table(json_t *map, size_t gap, struct deis_buf *out);

void show_app(const json_t *app, struct deis_buf *out);
void show_processes(const char *app, const json_t *containers, long total, struct deis_buf *out);
/* With machine, age, restarts and how the last one ended; now: Unix seconds. */
void show_process_details(const char *app, const json_t *containers, long total, uint64_t now,
                          struct deis_buf *out);
void show_tokens(const json_t *tokens, struct deis_buf *out);
void show_audit(const json_t *entries, struct deis_buf *out);
void show_config(const char *app, const json_t *config, bool oneline, struct deis_buf *out);
void show_limits(const char *app, const json_t *config, struct deis_buf *out);
void show_tags(const char *app, const json_t *config, struct deis_buf *out);
void show_builds(const json_t *builds, struct deis_buf *out);
void show_releases(const json_t *releases, struct deis_buf *out);
void show_release(const char *app, const json_t *release, struct deis_buf *out);
void show_keys(const json_t *keys, struct deis_buf *out);
void show_certs(const json_t *certs, struct deis_buf *out);
/* One, with how it stands if it comes by itself. */
void show_cert(const json_t *cert, struct deis_buf *out);
/* Those that are still to come, or could not be renewed; nothing when there are none. */
void show_awaited_certs(const json_t *rows, struct deis_buf *out);
void show_autocerts(const json_t *rows, struct deis_buf *out);

#endif
