/* SPDX-License-Identifier: MIT */
/* Git remotes of apps, in the output of `git remote -v`. thread: any */
#ifndef CLIENT_CORE_REMOTE_H
#define CLIENT_CORE_REMOTE_H

#include "lib/base/buf.h"

/* "ssh://git@<host>:<port>/<app>.git", yours; the port of the controller's host is dropped. */
char *remote_url(const char *host, uint16_t ssh_port, const char *app);
/* The app of the first remote whose URL names the host: the last part of its path up to the first
 * dot. Yours; NULL when there is none. */
char *remote_app(struct deis_str listing, const char *host);
/* Name of the first remote whose URL names the host and is this app's. Yours, or NULL. */
char *remote_name(struct deis_str listing, const char *host, const char *app);
/* Last part of a folder's path in lower case: the app when no remote tells. Yours. */
char *remote_app_of_folder(const char *path);

#endif
