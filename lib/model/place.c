/* SPDX-License-Identifier: MIT */
/* Where things are: machines and services. */
#include "lib/model/codec.h"

void deis_machine_clear(struct deis_machine *m)
{
    free(m->id);
    free(m->hostname);
    free(m->address);
    free(m->bus);
    json_decref(m->metadata);
    *m = (struct deis_machine){ 0 };
}

int deis_machine_parse(struct deis_str text, struct deis_machine *ret, struct deis_err *err)
{
    struct deis_machine m = { 0 };
    deis_autojson json_t *obj = deis_json_parse(text, err);
    int r;

    *ret = m;
    if (!obj) {
        return deis_err_wrap(err, "machine");
    }
    if ((r = codec_name(obj, "id", &m.id, err)) < 0 ||
        (r = codec_text_or(obj, "hostname", "", &m.hostname, err)) < 0 ||
        (r = codec_text_or(obj, "address", "", &m.address, err)) < 0 ||
        (r = codec_text_or(obj, "bus", "", &m.bus, err)) < 0 ||
        (r = codec_texts(obj, "metadata", &m.metadata, err)) < 0 ||
        (r = codec_u32(obj, "cpus", 0, &m.cpus, err)) < 0 ||
        (r = deis_json_u64_or(obj, "memory_bytes", 0, &m.memory_bytes, err)) < 0) {
        deis_machine_clear(&m);
        return deis_err_wrap(err, "machine");
    }
    *ret = m;
    return 0;
}

char *deis_machine_format(const struct deis_machine *m)
{
    json_t *obj = json_object();

    codec_set_text(obj, "id", m->id);
    codec_set_text(obj, "hostname", m->hostname);
    codec_set_text(obj, "address", m->address);
    codec_set_text(obj, "bus", m->bus);
    codec_set_object(obj, "metadata", m->metadata);
    codec_set_number(obj, "cpus", m->cpus);
    codec_set_number(obj, "memory_bytes", m->memory_bytes);
    return codec_dump(obj);
}

void deis_service_clear(struct deis_service *s)
{
    free(s->http);
    free(s->bus);
    free(s->ssh);
    free(s->proxy_from);
    deis_strv_free(s->keys);
    *s = (struct deis_service){ 0 };
}

int deis_service_parse(struct deis_str text, struct deis_service *ret, struct deis_err *err)
{
    struct deis_service s = { 0 };
    deis_autojson json_t *obj = deis_json_parse(text, err);
    int r;

    *ret = s;
    if (!obj) {
        return deis_err_wrap(err, "service");
    }
    if ((r = codec_text_or(obj, "http", NULL, &s.http, err)) < 0 ||
        (r = codec_text_or(obj, "bus", NULL, &s.bus, err)) < 0 ||
        (r = codec_text_or(obj, "ssh", NULL, &s.ssh, err)) < 0 ||
        (r = codec_text_or(obj, "proxy_from", NULL, &s.proxy_from, err)) < 0 ||
        (r = codec_strv(obj, "keys", &s.keys, err)) < 0) {
        deis_service_clear(&s);
        return deis_err_wrap(err, "service");
    }
    *ret = s;
    return 0;
}

char *deis_service_format(const struct deis_service *s)
{
    json_t *obj = json_object();

    codec_set_text(obj, "http", s->http);
    codec_set_text(obj, "bus", s->bus);
    codec_set_text(obj, "ssh", s->ssh);
    codec_set_text(obj, "proxy_from", s->proxy_from);
    if (s->keys) {
        json_object_set_new(obj, "keys", codec_strv_json(s->keys));
    }
    return codec_dump(obj);
}
