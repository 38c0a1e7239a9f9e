/* SPDX-License-Identifier: MIT */
#include "router/metrics.h"

#include "router/certs.h"
#include "router/core/metrics_text.h"
#include "router/firewall_load.h"
#include "router/ocsp.h"
#include "router/source.h"
#include "router/ssh.h"

#include "lib/base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define OF(field) offsetof(struct worker_counters, field)

/* Counters of the workers, summed; rows of one name follow each other and differ in the label. */
static const struct row {
    const char *name;
    const char *help;
    const char *label;
    const char *value;
    size_t offset;
} rows[] = {
    { "deis_router_connections_accepted_total", "Connections of clients that were accepted.", NULL,
      NULL, OF(accepted) },
    { "deis_router_connections_refused_total", "Connections that were closed at once, by reason.",
      "reason", "limit", OF(refused) },
    { "deis_router_connections_refused_total", NULL, "reason", "address", OF(refused_crowd) },
    { "deis_router_connections_refused_total", NULL, "reason", "rate", OF(refused_rate) },
    { "deis_router_connections_refused_total", NULL, "reason", "proxy_header", OF(proxy_failed) },
    { "deis_router_connections_shed_total", "Clients let go for lack of room.", NULL, NULL,
      OF(shed) },
    { "deis_router_descriptors_exhausted_total",
      "Connections that could not be accepted for lack of descriptors or memory.", NULL, NULL,
      OF(exhausted) },
    { "deis_router_tls_handshakes_total", "TLS handshakes by outcome.", "outcome", "done",
      OF(handshakes_done) },
    { "deis_router_tls_handshakes_total", NULL, "outcome", "failed", OF(handshakes_failed) },
    { "deis_router_h2_connections_total", "Connections that spoke HTTP/2.", NULL, NULL,
      OF(h2_connections) },
    { "deis_router_h2_abuses_total", "HTTP/2 connections ended for what they cost.", NULL, NULL,
      OF(h2_abuses) },
    { "deis_router_gzip_answers_total", "Answers that were to be compressed, by outcome.",
      "outcome", "compressed", OF(gzip_answers) },
    { "deis_router_gzip_answers_total", NULL, "outcome", "no_room", OF(gzip_refused) },
    { "deis_router_firewall_examined_total", "Requests that the firewall has examined.", NULL, NULL,
      OF(examined) },
    { "deis_router_firewall_blocked_total", "Requests that the firewall has blocked.", NULL, NULL,
      OF(blocked) },
    { "deis_router_requests_total", "Requests whose head was good.", NULL, NULL, OF(requests) },
    { "deis_router_bad_requests_total", "Requests whose head was bad or late.", NULL, NULL,
      OF(bad_requests) },
    { "deis_router_sends_together_total",
      "Messages that left with others in one system call (io_uring).", NULL, NULL, OF(together) },
    { "deis_router_retries_total", "Requests sent to another unit after a failure.", NULL, NULL,
      OF(retries) },
    { "deis_router_ejections_total", "Units put aside for a while after failures.", NULL, NULL,
      OF(ejections) },
};

static uint64_t sum(const struct router *r, size_t offset)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < r->worker_count; i++) {
        char *counters = (char *)&r->workers[i]->counters;
        total += atomic_load_explicit((_Atomic uint64_t *)(void *)(counters + offset),
                                      memory_order_relaxed);
    }
    return total;
}

static void write_counters(const struct router *r, struct deis_buf *b)
{
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        if (rows[i].help) {
            metrics_family(b, rows[i].name, "counter", rows[i].help);
        }
        metrics_sample(b, rows[i].name, rows[i].label, rows[i].value, sum(r, rows[i].offset));
    }
}

static void write_gauges(const struct router *r, struct deis_buf *b)
{
    uint64_t connections = 0, tunnels = 0, checks = 0, buffers = 0, dropped = 0;

    for (unsigned i = 0; i < r->worker_count; i++) {
        struct worker *w = r->workers[i];
        connections += (uint64_t)atomic_load(&w->counters.connections);
        tunnels += (uint64_t)atomic_load(&w->counters.tunnels);
        checks += (uint64_t)atomic_load(&w->counters.checks);
        buffers += bufpool_in_use(&w->pool);
        dropped += atomic_load(&w->log.dropped);
    }
    metrics_single(b, "deis_router_connections", "gauge", "Connections of clients, open now.",
                   connections);
    metrics_single(b, "deis_router_connections_max", "gauge",
                   "Connections of clients that may be open.",
                   (uint64_t)r->connections_max * r->worker_count);
    metrics_single(b, "deis_router_tunnels", "gauge", "Upgraded connections, open now.", tunnels);
    metrics_single(b, "deis_router_firewall_waiting", "gauge",
                   "Requests that wait for a long check of the firewall.", checks);
    metrics_single(b, "deis_router_ssh_connections", "gauge", "Connections for SSH, open now.",
                   ssh_count(r->ssh));
    metrics_single(b, "deis_router_ssh_refused_total", "counter",
                   "Connections for SSH beyond what an address may have.", ssh_refused(r->ssh));
    metrics_single(b, "deis_router_buffer_bytes", "gauge", "Memory of buffers that hold bytes.",
                   buffers);
    metrics_single(b, "deis_router_buffer_bytes_max", "gauge",
                   "Beyond it the clients that hold most for longest are let go; 0: never.",
                   r->settings.buffer_memory);
    metrics_single(b, "deis_router_firewall_loaded", "gauge", "1: the firewall's rules are loaded.",
                   atomic_load(&firewall_load_place(r->firewall)->loaded) ? 1 : 0);
    metrics_single(b, "deis_router_log_lines_dropped_total", "counter",
                   "Lines of the access log that the logger did not take in time.", dropped);
}

static void write_table(const struct router *r, struct deis_buf *b)
{
    metrics_single(b, "deis_router_table_generation", "gauge",
                   "Number of the routing table; it grows by one with each change.",
                   r->table->generation);
    metrics_single(b, "deis_router_table_adopted_generation", "gauge",
                   "Number of the oldest table that a worker still uses.", router_adopted(r));
    metrics_single(b, "deis_router_table_held", "gauge",
                   "1: etcd lost or lacks what was known; the last table stays until it is back.",
                   source_held(r->source) ? 1 : 0);
    const struct ocsp *ocsp = certs_ocsp(r->certs);
    if (ocsp) {
        metrics_single(b, "deis_router_ocsp_stapled", "gauge",
                       "Certificates with a valid OCSP answer.", ocsp_stapled(ocsp));
        metrics_single(b, "deis_router_ocsp_failures_total", "counter",
                       "OCSP requests without a good answer.", ocsp_failures(ocsp));
    }
    metrics_seconds(b, "deis_router_table_age_seconds", "gauge",
                    "Time since the last change of it.", (deis_now_ms() - r->table_ms) * 1000);
    metrics_seconds(b, "deis_router_table_build_seconds", "gauge",
                    "Time that making it took, the last time.", r->table_build_us);
    metrics_single(b, "deis_router_hosts", "gauge", "Host names in it.",
                   route_hosts_count(r->table->hosts));
    metrics_single(b, "deis_router_apps", "gauge", "Apps in it.", r->table->app_count);
}

static uint64_t resident_bytes(void)
{
    deis_autoclose int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    char text[128] = "";
    struct deis_str rest = { text, 0 };
    struct deis_str field;
    uint64_t pages = 0;

    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    rest.len = n > 0 ? (size_t)n : 0;
    (void)deis_str_split(&rest, ' ', &field);
    if (rest.ptr && deis_str_split(&rest, ' ', &field)) {
        (void)!deis_str_to_u64(field, 0, UINT64_MAX / 65536, &pages, NULL);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t microseconds(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

/* By the names that Prometheus' own clients use. */
static void write_process(struct deis_buf *b)
{
    struct rusage usage = { 0 };

    (void)getrusage(RUSAGE_SELF, &usage);
    metrics_seconds(b, "process_cpu_seconds_total", "counter", "CPU time, user and system.",
                    microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime));
    metrics_single(b, "process_resident_memory_bytes", "gauge", "Resident memory.",
                   resident_bytes());
}

void metrics_write(struct router *r, struct deis_buf *b)
{
    write_counters(r, b);
    write_gauges(r, b);
    write_table(r, b);
    write_process(b);
    metrics_apps(b, r->table);
}
