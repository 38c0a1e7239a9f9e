/* SPDX-License-Identifier: MIT */
#include "lib/net/httpc_transfer.h"

#define HEADERS_MAX        65536U
#define ANSWER_MAX         ((size_t)16 * 1024 * 1024)
#define CONNECT_TIMEOUT_MS 2000

/* --- the answer comes in --- */

static void parse_status_line(struct httpc_transfer *t, struct deis_str line)
{
    struct deis_str version;
    struct deis_str code;
    uint64_t status = 0;
    struct deis_str rest = deis_str_trim(line);
    bool whole = deis_str_split(&rest, ' ', &version) && deis_str_split(&rest, ' ', &code);
    if (!whole || deis_str_to_u64(code, 100, 999, &status, NULL) != 0) {
        return;
    }
    t->status = (int)status;
    if (t->answer != NULL) {
        t->answer->status = t->status;
        struct deis_str reason = deis_str_first(rest, sizeof(t->answer->reason) - 1);
        if (reason.len > 0) {
            memcpy(t->answer->reason, reason.ptr, reason.len);
        }
        t->answer->reason[reason.len] = '\0';
        deis_buf_reset(&t->answer->headers);
    }
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is curl's */
static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct httpc_transfer *t = arg;
    struct deis_str line = { data, size * count };
    if (t->head_done) {
        return line.len; /* trailers */
    }
    if (deis_str_starts(line, "HTTP/")) {
        parse_status_line(t, line);
    } else if (deis_str_trim(line).len == 0) {
        t->head_done = t->status >= 200;
    } else if (t->answer != NULL) {
        deis_buf_add_str(&t->answer->headers, line);
        if (deis_buf_failed(&t->answer->headers)) {
            t->halt = HTTPC_TOO_LARGE;
            return 0;
        }
    }
    return line.len;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is curl's */
static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct httpc_transfer *t = arg;
    struct deis_str piece = { data, size * count };
    if (t->halt != HTTPC_GOING) {
        return 0;
    }
    if (t->on_data != NULL) {
        if (!t->on_data(t->status, piece, t->arg)) {
            t->halt = HTTPC_STOPPED;
        }
    } else if (t->answer != NULL) {
        deis_buf_add_str(&t->answer->body, piece);
        if (deis_buf_failed(&t->answer->body)) {
            t->halt = HTTPC_TOO_LARGE;
        }
    }
    return t->halt == HTTPC_GOING ? piece.len : 0;
}

static size_t on_read(char *data, size_t size, size_t count, void *arg)
{
    struct httpc_transfer *t = arg;
    ptrdiff_t n = t->read_body(data, size * count, t->read_arg);
    if (n < 0) {
        t->halt = HTTPC_NO_BODY;
        return CURL_READFUNC_ABORT;
    }
    return (size_t)n;
}

/* --- the request goes out --- */

/*
 * When a kept connection dies before the first byte of an answer, curl sends the request again. The
 * peer may have acted on it, though: only what changes nothing may go out twice.
 */
static int on_before_request(void *arg, char *remote_ip, char *local_ip, int remote_port,
                             int local_port)
{
    struct httpc_transfer *t = arg;
    long sent = 0;
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
    if (++t->attempts > 1 && sent > 0 && !t->repeatable) {
        t->halt = HTTPC_LOST;
        return CURL_PREREQFUNC_ABORT;
    }
    return CURL_PREREQFUNC_OK;
}

static bool has_field(const char *const *headers, const char *name)
{
    size_t len = strlen(name);
    for (; headers != NULL && *headers != NULL; headers++) {
        if (strncasecmp(*headers, name, len) == 0 && (*headers)[len] == ':') {
            return true;
        }
    }
    return false;
}

static void add_field(struct httpc_transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (longer == NULL) {
        abort();
    }
    t->headers = longer;
}

static int set_headers(struct httpc_transfer *t, const struct deis_httpc_request *req,
                       struct deis_err *err)
{
    for (const char *const *h = req->headers; h != NULL && *h != NULL; h++) {
        if (strpbrk(*h, "\r\n") != NULL || strchr(*h, ':') == NULL) {
            return deis_err_set(err, DEIS_INVALID, "invalid request header");
        }
        add_field(t, *h);
    }
    /* What curl would add by itself: a wait for "100 Continue", and a type that is not ours. */
    if (!has_field(req->headers, "Expect")) {
        add_field(t, "Expect:");
    }
    if (!has_field(req->headers, "Content-Type")) {
        add_field(t, "Content-Type:");
    }
    if (req->read_body != NULL) {
        add_field(t, "Transfer-Encoding: chunked");
    }
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return 0;
}

static bool method_has_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

static int set_method(struct httpc_transfer *t, const struct deis_httpc_request *req,
                      struct deis_err *err)
{
    const char *method = req->method != NULL ? req->method : "GET";
    if (*method == '\0' || method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0') {
        return deis_err_set(err, DEIS_INVALID, "invalid request method");
    }
    t->repeatable = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (req->read_body != NULL) {
        t->read_body = req->read_body;
        t->read_arg = req->read_arg;
        curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    } else if (req->body.len > 0 || method_has_body(method)) {
        curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
        curl_easy_setopt(t->easy, t->lent ? CURLOPT_POSTFIELDS : CURLOPT_COPYPOSTFIELDS,
                         req->body.len > 0 ? req->body.ptr : "");
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
        return 0;
    }
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
    return 0;
}

static void set_connection(CURL *easy, const struct deis_httpc_request *req)
{
    curl_easy_setopt(easy, CURLOPT_URL, req->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "deis/" DEIS_VERSION);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
    uint64_t connect_ms =
        req->connect_timeout_ms > 0 ? req->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (req->unix_socket != NULL) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, req->unix_socket);
    }
    if (req->tls == NULL) {
        return;
    }
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, req->tls->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, req->tls->insecure ? 0L : 2L);
    if (req->tls->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, req->tls->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (req->tls->cert_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, req->tls->cert_file);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, req->tls->key_file);
    }
}

int httpc_transfer_init(struct httpc_transfer *t, CURL *lent, const struct deis_httpc_request *req,
                        struct deis_httpc_answer *answer, struct deis_err *err)
{
    *t = (struct httpc_transfer){ .easy = lent,
                                  .lent = lent != NULL,
                                  .answer = answer,
                                  .on_data = req->on_data,
                                  .arg = req->arg };
    if (answer != NULL) {
        deis_httpc_answer_clear(answer);
        answer->headers.max_bytes = HEADERS_MAX;
        answer->body.max_bytes = req->answer_max > 0 ? req->answer_max : ANSWER_MAX;
    }
    if (req->url == NULL || *req->url == '\0') {
        return deis_err_set(err, DEIS_INVALID, "a request needs a url");
    }
    if (!t->lent && (t->easy = curl_easy_init()) == NULL) {
        abort();
    }
    set_connection(t->easy, req);
    int rc = set_headers(t, req, err);
    if (rc == 0) {
        rc = set_method(t, req, err);
    }
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_before_request);
    curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    return rc;
}

/* --- the end --- */

/* sent: something went out, perhaps over a kept connection that turned out to be dead. */
static enum deis_code code_of(CURLcode code, bool sent)
{
    switch ((int)code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return sent ? DEIS_PROTOCOL : DEIS_INVALID; /* sent: HTTP/0.9 */
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return sent ? DEIS_TIMEOUT : DEIS_UNAVAILABLE;
    default: return DEIS_PROTOCOL;
    }
}

int httpc_transfer_result(struct httpc_transfer *t, CURLcode code, struct deis_err *err)
{
    switch (t->halt) {
    case HTTPC_GOING: break;
    case HTTPC_STOPPED: return deis_err_set(err, DEIS_CANCELLED, "request given up");
    case HTTPC_TOO_LARGE: return deis_err_set(err, DEIS_LIMIT, "the answer is too large");
    case HTTPC_LOST:
        return deis_err_set(err, DEIS_TIMEOUT, "the connection broke after the request was sent");
    case HTTPC_NO_BODY:
        return deis_err_set(err, DEIS_CANCELLED, "the body of the request could not be read");
    }
    if (code == CURLE_OK) {
        return 0;
    }
    long sent = 0;
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
    const char *text = t->error[0] != '\0' ? t->error : curl_easy_strerror(code);
    return deis_err_set(err, code_of(code, sent > 0), "%s", text);
}

void httpc_transfer_clear(struct httpc_transfer *t)
{
    if (t->lent) {
        curl_easy_reset(t->easy); /* ready for the next one */
    } else {
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    t->easy = NULL;
    t->headers = NULL;
}

void deis_httpc_answer_clear(struct deis_httpc_answer *a)
{
    deis_buf_clear(&a->headers);
    deis_buf_clear(&a->body);
    a->status = 0;
    a->reason[0] = '\0';
}

struct deis_str deis_httpc_header(const struct deis_httpc_answer *a, const char *name)
{
    struct deis_str rest = deis_buf_str(&a->headers);
    struct deis_str line;
    while (deis_str_split(&rest, '\n', &line)) {
        ptrdiff_t colon = deis_str_find(line, ':');
        if (colon > 0 && deis_str_ieq_cstr(deis_str_first(line, (size_t)colon), name)) {
            return deis_str_trim(deis_str_skip(line, (size_t)colon + 1));
        }
    }
    return DEIS_STR_NONE;
}
