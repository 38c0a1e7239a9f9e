/* SPDX-License-Identifier: MIT */
#include "controller/core/names.h"

#include "lib/wire/ip.h"

static const char *const adjectives[] = {
    "ardent", "autumn", "bright",  "bronze", "candid", "cheery", "copper", "cosmic",
    "dapper", "daring", "eager",   "earthy", "elated", "famous", "fluent", "frosty",
    "gentle", "golden", "hearty",  "humble", "indigo", "jovial", "kindly", "lively",
    "lucky",  "mellow", "mighty",  "modest", "nimble", "orange", "placid", "polite",
    "purple", "quaint", "rustic",  "sailor", "serene", "silent", "silver", "simple",
    "snappy", "spring", "steady",  "summer", "sunlit", "tender", "timely", "topaz",
    "trusty", "upbeat", "valiant", "velvet", "violet", "warm",   "wintry", "witty",
};

static const char *const nouns[] = {
    "acorn",    "anchor",   "apple",    "badger",  "balcony", "barley",     "beacon",   "bicycle",
    "birch",    "bramble",  "bridge",   "buffalo", "cabin",   "canyon",     "castle",   "cavern",
    "chestnut", "cottage",  "cricket",  "curlew",  "dolphin", "falcon",     "farmyard", "ferry",
    "flannel",  "forest",   "fountain", "garden",  "glacier", "harbor",     "harvest",  "heron",
    "hillside", "island",   "juniper",  "kettle",  "lantern", "lighthouse", "lobster",  "magpie",
    "meadow",   "mountain", "orchard",  "otter",   "pasture", "pebble",     "pelican",  "pottery",
    "prairie",  "quarry",   "raven",    "river",   "saddle",  "sparrow",    "teapot",   "thicket",
    "timber",   "tundra",   "valley",   "village", "walnut",  "waterfall",  "willow",   "windmill",
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool only(const char *s, const char *extra)
{
    for (const char *p = s; *p; p++) {
        if (!is_alnum(*p) && !strchr(extra, *p)) {
            return false;
        }
    }
    return *s != '\0';
}

bool names_is_user(const char *s)
{
    return only(s, "_.@+-");
}

bool names_is_email(const char *s)
{
    const char *at = strrchr(s, '@');

    if (!at || at == s || (size_t)(at - s) > 64) {
        return false;
    }
    for (const char *p = s; p < at; p++) {
        if (!is_alnum(*p) && !strchr(".!#$%&'*+/=?^_`{|}~-", *p)) {
            return false;
        }
    }
    struct deis_str domain = deis_str(at + 1);
    struct deis_str label;
    unsigned labels = 0;
    while (deis_str_split(&domain, '.', &label)) {
        if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' ||
            label.ptr[label.len - 1] == '-') {
            return false;
        }
        labels++;
    }
    return labels >= 2 && only(at + 1, ".-");
}

void names_check_app(struct fields *f, const char *id, const char *reserved)
{
    bool slug = true;
    bool lower = true;

    for (const char *p = id; *p; p++) {
        slug = slug && (is_alnum(*p) || *p == '-' || *p == '_');
        lower = lower && ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-');
    }
    if (!slug) {
        fields_error(
            f, "id",
            "Enter a valid 'slug' consisting of letters, numbers, underscores or hyphens.");
    }
    if (!lower) {
        fields_error(f, "id", "App IDs can only contain [a-z0-9-].");
    } else if (!deis_str_is_label(deis_str(id))) {
        fields_error(f, "id",
                     "App IDs must begin and end with a letter or digit and have 63 "
                     "characters at most.");
    } else if (strcmp(id, reserved) == 0) {
        fields_error(f, "id", "%s is a reserved name.", id);
    }
}

char *names_generate_app(uint32_t a, uint32_t b)
{
    return deis_asprintf("%s-%s", adjectives[a % DEIS_COUNT(adjectives)],
                         nouns[b % DEIS_COUNT(nouns)]);
}

static bool has_digit(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9') {
            return true;
        }
    }
    return false;
}

static bool all_digits(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
    }
    return true;
}

static bool domain_label_fits(struct deis_str label)
{
    if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-' || all_digits(label)) {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-') {
            return false;
        }
        if (i > 0 && label.ptr[i] == '-' && label.ptr[i - 1] == '-') {
            return false;
        }
    }
    return true;
}

static bool domain_fits(const char *domain)
{
    struct deis_str rest = deis_str(domain);
    struct deis_str label;

    if (!strchr(domain, '.') && has_digit(rest)) {
        return false;
    }
    while (deis_str_split(&rest, '.', &label)) {
        if (!domain_label_fits(label)) {
            return false;
        }
    }
    return true;
}

/* Single ones, between others. */
static bool dots_fit(const char *name)
{
    return name[0] != '.' && !strstr(name, "..") && !deis_str_ends(deis_str(name), ".");
}

char *names_check_domain(struct fields *f, const char *domain)
{
    size_t len = strlen(domain);

    if (len > 255) {
        fields_error(f, "domain", "Hostname must be 255 characters or less.");
        return NULL;
    }
    if (len > 0 && domain[len - 1] == '.') {
        len--;
    }
    char *name = deis_str_dup(deis_str_n(domain, len));
    if (strncmp(name, "*.", 2) == 0 || strcmp(name, "*") == 0) {
        fields_error(f, "domain", "Adding a wildcard subdomain is currently not supported.");
    } else if (!(strstr(name, "xip.io") && only(name, ".-") && dots_fit(name)) &&
               !domain_fits(name)) {
        fields_error(f, "domain", "Hostname does not look valid.");
    } else {
        return name;
    }
    free(name);
    return NULL;
}

/* Would "*.parent" cover names of apps below the platform's domain, that domain, or what lies below
 * an app's name? */
static bool covers_platform(const char *parent, const char *platform)
{
    struct deis_str rest = deis_str(platform);
    ptrdiff_t dot = deis_str_find(rest, '.');
    deis_autofree char *below = deis_asprintf(".%s", platform);

    if (deis_str_ieq_cstr(deis_str(parent), platform) ||
        (strlen(parent) > strlen(below) &&
         strcasecmp(parent + strlen(parent) - strlen(below), below) == 0)) {
        return true;
    }
    return dot > 0 && deis_str_ieq_cstr(deis_str_skip(rest, (size_t)dot + 1), parent);
}

char *names_check_wildcard(struct fields *f, const char *domain, const char *platform)
{
    deis_autofree char *parent =
        strncmp(domain, "*.", 2) == 0 ? names_check_domain(f, domain + 2) : NULL;

    if (fields_failed(f)) {
        return NULL;
    }
    if (!parent || !strchr(parent, '.') || strlen(parent) > 253 - 2) {
        fields_error(f, "domain", "A wildcard looks like *.example.com.");
    } else if (covers_platform(parent, platform)) {
        fields_error(f, "domain", "A wildcard must not cover names of the platform (%s).",
                     platform);
    } else {
        return deis_asprintf("*.%s", parent);
    }
    return NULL;
}

char *names_wildcard_above(const char *domain)
{
    const char *dot = strchr(domain, '.');

    return dot && domain[0] != '*' && strchr(dot + 1, '.') ? deis_asprintf("*%s", dot) : NULL;
}

/* "sha256:3f" is the Engine's name for any image it has whose id begins like this, also one of
 * another app. */
bool names_is_image(const char *s)
{
    return only(s, "._-/:@") && is_alnum(s[0]) && strncmp(s, "sha256:", 7) != 0;
}

/* The host and port that an image reference begins with, or NONE. */
static struct deis_str image_host(struct deis_str image)
{
    ptrdiff_t slash = deis_str_find(image, '/');
    struct deis_str host = deis_str_first(image, slash > 0 ? (size_t)slash : 0);

    if (slash > 0 && (deis_str_find(host, '.') >= 0 || deis_str_find(host, ':') >= 0 ||
                      deis_str_ieq_cstr(host, "localhost"))) {
        return host;
    }
    return DEIS_STR_NONE;
}

/* An image reference without host, tag and digest. */
static void repository_of(struct deis_str image, char ret[256])
{
    struct deis_str host = image_host(image);
    struct deis_str name = host.ptr ? deis_str_skip(image, host.len + 1) : image;
    ptrdiff_t end = deis_str_find(name, '@');

    name = end < 0 ? name : deis_str_first(name, (size_t)end);
    end = deis_str_find(name, ':');
    name = end < 0 ? name : deis_str_first(name, (size_t)end);
    snprintf(ret, 256, "%.*s", DEIS_STR_ARG(name));
}

/* Does it lead to the machine itself? Odd spellings of addresses (127.1, 0x7f.1) count as if. */
static bool is_this_machine(struct deis_str host)
{
    ptrdiff_t colon = deis_str_find(host, ':');
    struct deis_ip ip;

    host = colon < 0 ? host : deis_str_first(host, (size_t)colon);
    if (deis_str_ieq_cstr(host, "localhost") || deis_str_ends(host, ".localhost")) {
        return true;
    }
    if (deis_ip_parse(host, &ip)) {
        return deis_ip_is_v4(&ip) && (ip.bytes[12] == 127 || ip.bytes[12] == 0);
    }
    ptrdiff_t dot = deis_str_rfind(host, '.');
    struct deis_str last = dot < 0 ? host : deis_str_skip(host, (size_t)dot + 1);
    return last.len > 0 && last.ptr[0] >= '0' && last.ptr[0] <= '9';
}

/* What follows the colon of host:port, or NONE. */
static struct deis_str port_of(struct deis_str host)
{
    ptrdiff_t colon = deis_str_rfind(host, ':');

    return colon < 0 ? DEIS_STR_NONE : deis_str_skip(host, (size_t)colon + 1);
}

/* Is it the registry's port? What a name leads to is up to whoever owns it, and may be different
 * when the Engine asks: any name may lead to this machine. */
static bool is_port_of(struct deis_str host, const char *registry)
{
    struct deis_str port = port_of(host), own = port_of(deis_str(registry));
    uint64_t number, own_number;

    return deis_str_to_u64(port, 0, UINT16_MAX, &number, NULL) == 0 &&
           deis_str_to_u64(own, 0, UINT16_MAX, &own_number, NULL) == 0 && number == own_number;
}

bool names_is_own_registry(const char *image, const char *registry, char ret[256])
{
    struct deis_str host = image_host(deis_str(image));

    if (!host.ptr || (!deis_str_ieq_cstr(host, registry) && !is_this_machine(host) &&
                      !is_port_of(host, registry))) {
        return false;
    }
    repository_of(deis_str(image), ret);
    return true;
}

bool names_is_platform_image(const char *image, char ret[256])
{
    static const char *const own[] = {
        "builder",        "cache",         "controller",   "database",
        "logger",         "logspout",      "publisher",    "registry",
        "router",         "store-admin",   "store-daemon", "store-gateway",
        "store-metadata", "store-monitor", "scheduler",    "registry-proxy",
    };

    repository_of(deis_str(image), ret);
    if (strncmp(ret, "deis/", 5) != 0) {
        return false;
    }
    for (size_t i = 0; i < DEIS_COUNT(own); i++) {
        if (strcmp(ret + 5, own[i]) == 0) {
            return true;
        }
    }
    return false;
}
