/* SPDX-License-Identifier: MIT */
/*
 * Whom the ACME client trusts beside the authorities of the system. It has no option for that, but
 * its libcurl (GnuTLS) reads every file of the system's folder of certificates. One of them, in the
 * controller's image, is a link to where the setting acme/ca is written while the client runs.
 * OpenSSL finds certificates in that folder by their hash only: nobody else trusts this one.
 */
#include "controller/acme.h"

#include "lib/crypto/pem.h"

#include <openssl/err.h>
#include <unistd.h>

#define NAME "deis-acme-ca.pem"
#define LINK "/etc/ssl/certs/" NAME

/* One certificate at least, and nothing that is none. */
static bool is_pem(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    unsigned count = 0;
    X509 *cert;

    while ((cert = PEM_read_bio_X509(bio, NULL, deis_pem_no_password, NULL))) {
        X509_free(cert);
        count++;
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    return count > 0 && at_end;
}

int acme_trust_begin(const char *dir, const char *ca, struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/" NAME, dir);
    char target[512];

    (void)unlink(path); /* of a run that was cut off */
    if (ca[0] == '\0') {
        return DEIS_OK;
    }
    if (!is_pem(ca)) {
        return deis_err_set(err, DEIS_INVALID, "the setting acme/ca holds no certificates in PEM");
    }
    ssize_t len = readlink(LINK, target, sizeof(target));
    if (len < 0 || !deis_str_eq_cstr(deis_str_n(target, (size_t)len), path)) {
        return deis_err_set(err, DEIS_INVALID,
                            "the setting acme/ca needs a link " LINK " to %s on this system", path);
    }
    return acme_files_write(dir, NAME, deis_str(ca), err);
}

void acme_trust_end(const char *dir)
{
    deis_autofree char *path = deis_asprintf("%s/" NAME, dir);

    (void)unlink(path);
}
