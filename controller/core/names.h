/* SPDX-License-Identifier: MIT */
/* Rules for names: users, apps, domains, images. Pure. thread: any */
#ifndef CONTROLLER_CORE_NAMES_H
#define CONTROLLER_CORE_NAMES_H

#include "controller/core/fields.h"

/* [A-Za-z0-9_.@+-]+ */
bool names_is_user(const char *s);
/* Something that mail can be sent to: local@domain.tld. */
bool names_is_email(const char *s);
/* Report what is wrong with an app id, under "id". reserved: the controller's own subdomain. */
void names_check_app(struct fields *f, const char *id, const char *reserved);
/* "<adjective>-<noun>" chosen by two random numbers; yours. */
char *names_generate_app(uint32_t a, uint32_t b);
/* Report what is wrong with a domain, under "domain" (uniqueness apart). Yours: the domain without
 * a final dot; NULL when it is refused. */
char *names_check_domain(struct fields *f, const char *domain);
/* The same for "*.example.com"; platform: the domain of all apps, of which none may be covered. */
char *names_check_wildcard(struct fields *f, const char *domain, const char *platform);
/* The wildcard that covers a domain, yours: "*.example.com" of "www.example.com"; NULL: none can.
 */
char *names_wildcard_above(const char *domain);
/* Can text be an image reference ([host[:port]/]path[:tag][@digest]) as far as characters go? An id
 * that the Engine gave ("sha256:...") is none: it names what happens to be on a machine. */
bool names_is_image(const char *s);
/* Is it one of the platform's own repositories ("deis/router")? Copies the repository name to ret.
 */
bool names_is_platform_image(const char *image, char ret[256]);
/* May the image be one of the platform's own registry: by its address as set, by one that leads
 * to the machine itself, or by any name with its port? Then ret is its repository, which is named
 * after the app it belongs to. */
bool names_is_own_registry(const char *image, const char *registry, char ret[256]);

#endif
