/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/pairs.h"
#include "client/core/pubkey.h"
#include "client/core/show.h"

#include <dirent.h>
#include <stdio.h>

#define TEXT_MAX ((size_t)16 << 20)
#define KEY_MAX  ((size_t)64 << 10)
#define MENU_MAX 100

struct key {
    char *path;
    char *id;
    char *text;
};

static void key_clear(struct key *k)
{
    free(k->path);
    free(k->id);
    free(k->text);
    *k = (struct key){ 0 };
}

int keys_list(struct client *c, const struct options *o)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *keys = NULL;
    long limit = 0;
    long total = 0;

    if (session_limit(c, o, &limit) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return api_list_json(c, o, request_list("keys", limit));
    }
    if (api_list(c, request_list("keys", limit), &list, &keys, &total) < 0) {
        return -1;
    }
    deis_buf_addf(&text, "=== %s Keys", c->profile.username);
    show_count(json_array_size(keys), total, &text);
    show_keys(keys, &text);
    term_print(&text);
    return 0;
}

static int key_read(const char *path, struct key *ret, struct deis_err *err)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(KEY_MAX);

    *ret = (struct key){ 0 };
    int r = deis_file_read(path, &text, err);
    if (r < 0 || (r = pubkey_id(path, deis_buf_str(&text), &ret->id, err)) < 0) {
        return r;
    }
    ret->path = deis_strdup(path);
    ret->text = deis_buf_take(&text, NULL);
    return 0;
}

static int by_path(const void *a, const void *b)
{
    const struct key *x = a;
    const struct key *y = b;

    return strcmp(x->path, y->path);
}

/* The keys in ~/.ssh; says of files that are none. */
static size_t find_keys(const char *folder, struct key keys[MENU_MAX])
{
    const struct dirent *e;
    struct deis_err err;
    size_t count = 0;
    DIR *dir = opendir(folder);

    while (dir && count < MENU_MAX && (e = readdir(dir)) != NULL) {
        if (!deis_str_ends(deis_str(e->d_name), ".pub")) {
            continue;
        }
        deis_autofree char *path = deis_asprintf("%s/%s", folder, e->d_name);
        if (key_read(path, &keys[count], &err) < 0) {
            printf("%s\n", err.msg);
        } else {
            count++;
        }
    }
    if (dir) {
        closedir(dir);
    }
    qsort(keys, count, sizeof(keys[0]), by_path);
    return count;
}

static int read_path(struct client *c, const char *path, struct key *ret)
{
    struct deis_err err;

    return key_read(path, ret, &err) < 0 ? client_fail_err(c, &err) : 0;
}

static int choose(struct client *c, struct key *keys, size_t count, struct key *ret)
{
    struct deis_err err;
    long choice = 0;

    printf("Found the following SSH public keys:\n");
    for (size_t i = 0; i < count; i++) {
        printf("%zu) %s %s\n", i + 1, pubkey_file_name(keys[i].path), keys[i].id);
    }
    printf("0) Enter path to pubfile (or use keys:add <key_path>)\n");
    deis_autofree char *answer = term_ask("Which would you like to use with Deis? ");
    if (pairs_number(answer, &choice, &err) < 0) {
        return client_fail_err(c, &err);
    }
    if (choice == 0) {
        deis_autofree char *path = term_ask("Enter the path to the pubkey file: ");
        return read_path(c, path, ret);
    }
    if (choice < 0 || (size_t)choice > count) {
        return client_fail(c, "%ld is not a valid option", choice);
    }
    *ret = keys[choice - 1];
    keys[choice - 1] = (struct key){ 0 };
    return 0;
}

static int choose_key(struct client *c, struct key *ret)
{
    struct key keys[MENU_MAX];
    const char *home = getenv("HOME");
    deis_autofree char *folder = deis_asprintf("%s/.ssh", home ? home : "");

    size_t count = find_keys(folder, keys);
    int r = choose(c, keys, count, ret);
    for (size_t i = 0; i < count; i++) {
        key_clear(&keys[i]);
    }
    return r;
}

int keys_add(struct client *c, const struct options *o)
{
    struct key key = { 0 };

    if (session_load(c) < 0) {
        return -1;
    }
    int r = o->word_count > 0 ? read_path(c, o->words[0], &key) : choose_key(c, &key);
    if (r < 0) {
        return r;
    }
    printf("Uploading %s to deis...", pubkey_file_name(key.path));
    fflush(stdout);
    r = api_do(c, request_key_add(key.id, key.text), NULL);
    printf(r < 0 ? "\n" : " done\n");
    key_clear(&key);
    return r;
}

int keys_remove(struct client *c, const struct options *o)
{
    if (session_load(c) < 0) {
        return -1;
    }
    printf("Removing %s SSH Key...", o->words[0]);
    fflush(stdout);
    int r = api_do(c, request_key_remove(o->words[0]), NULL);
    printf(r < 0 ? "\n" : " done\n");
    return r;
}
