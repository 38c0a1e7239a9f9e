/* SPDX-License-Identifier: MIT */
/* What a client may ask for over SSH: a strict grammar over the text of its exec request. Pure. */
#ifndef DEIS_BUILDER_SSH_COMMAND_H
#define DEIS_BUILDER_SSH_COMMAND_H

#include "lib/base/str.h"

#define SSH_COMMAND_MAX 256 /* bytes */

enum ssh_verb { SSH_PING, SSH_PUSH, SSH_FETCH };

struct ssh_command {
    enum ssh_verb verb;
    struct deis_str app; /* a DNS label, a view into the text; NONE for ping */
};

/*
 *   command = "ping" | verb " " repository
 *   verb = "git-receive-pack" | "git-upload-pack"
 *   repository = "'" name "'" | name          name = ["/"] app [".git"] ["/"]
 *
 * Nothing else: no second argument, no other blank, no quote inside. DEIS_INVALID says for a person
 * what is possible here; the text of the client is not repeated in it.
 */
int ssh_command_parse(struct deis_str text, struct ssh_command *ret,
                      struct deis_err *err) deis_must_check;

/* May this user name stand in a command line and in a log: [A-Za-z0-9_][A-Za-z0-9_.@+-]{0,149}? */
bool ssh_user_ok(struct deis_str user);
/* "SHA256:" and 43 base64 digits, as OpenSSH prints a fingerprint. */
bool ssh_fingerprint_ok(struct deis_str fingerprint);
/* "<type> <base64>" in the alphabet of OpenSSH public keys. */
bool ssh_public_key_ok(struct deis_str type, struct deis_str key);

#endif
