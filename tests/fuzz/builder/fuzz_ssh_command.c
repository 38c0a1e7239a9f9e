/* SPDX-License-Identifier: MIT */
/* The text of an exec request, and the lines of a pre-receive hook: what is accepted is harmless.
 */
#include "builder/core/push_policy.h"
#include "builder/core/ssh_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str text = deis_str_n((const char *)data, size);
    struct deis_err err = DEIS_ERR_INIT;
    struct ssh_command command;
    struct push_update update;

    if (ssh_command_parse(text, &command, &err) == DEIS_OK && command.verb != SSH_PING &&
        !deis_str_is_label(command.app)) {
        abort();
    }
    if (push_policy_check(text, &update, &err) == DEIS_OK && strlen(update.commit) != 40) {
        abort();
    }
    return 0;
}
