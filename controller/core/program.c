/* SPDX-License-Identifier: MIT */
#include "controller/core/program.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

/* Does the word set a variable? */
static bool is_assignment(const char *word)
{
    size_t name = strspn(word, LETTERS DIGITS "_");

    return name > 0 && word[name] == '=';
}

void program_of(const char *command, char out[PROGRAM_MAX + 1])
{
    size_t len;

    out[0] = '\0';
    for (;; command += len) {
        command += strspn(command, " \t");
        len = strcspn(command, " \t");
        if (!is_assignment(command)) {
            break;
        }
        if (strcspn(command, "'\"\\$`(") < len) {
            return; /* the value may go on behind the blank */
        }
    }
    len = strspn(command, LETTERS DIGITS "_./+-");
    if (command[len] != '\0' && !strchr(" \t", command[len])) {
        return;
    }
    struct deis_str word = deis_str_n(command, len);
    ptrdiff_t slash = deis_str_rfind(word, '/');
    word = deis_str_skip(word, (size_t)(slash + 1));
    if (word.len <= PROGRAM_MAX) {
        memcpy(out, word.ptr, word.len);
        out[word.len] = '\0';
    }
}
