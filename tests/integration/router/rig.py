# SPDX-License-Identifier: MIT
"""What the router's tests share: the router as a program, origins that behave as they are told, a raw client."""
import base64
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request

BIN = os.environ['DEIS_BIN']
DEADLINE = 60  # of a machine that is busy: only a failure takes so long


claims = []


def free_port():
    """A port below those of outgoing connections, none of which can take it before a server does; no other test's (tests/support/port.h)."""
    while True:
        port, claim = random.randrange(10000, 30000), socket.socket(socket.AF_UNIX)
        with socket.socket() as s:
            try:
                s.bind(('127.0.0.1', port))
                claim.bind('\0deis-test-port-%d' % port)
            except OSError:
                claim.close()
                continue
        claims.append(claim)
        return port


def full_queue(test):
    """A socket that listens with a queue that is full: connections to it stay half open."""
    full = socket.socket()
    test.addCleanup(full.close)
    full.bind(('127.0.0.1', 0))
    full.listen(0)
    for _ in range(4):
        s = socket.socket()
        test.addCleanup(s.close)
        s.setblocking(False)
        s.connect_ex(full.getsockname())
    return full


def wait_for(fact, what, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError('not within %d s: %s' % (deadline, what))
        time.sleep(0.01)


def unread(port):
    """Bytes that wait in some connection's socket on this port."""
    with open('/proc/net/tcp') as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return sum(int(row[4].split(':')[1], 16) for row in rows if int(row[1].split(':')[1], 16) == port and row[3] == '01')


def can_connect(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


def spawn(argv, **kw):
    """A process that ends with the test, whatever way that ends."""
    return subprocess.Popen(['setpriv', '--pdeathsig', 'KILL', '--', *argv], **kw)


class Router:
    """bin/deis-router with flags; `http`, `metrics` are its ports."""

    def __init__(self, *flags, workers=2):
        self.dir = tempfile.mkdtemp(prefix='deis-router.')
        self.http, self.metrics = free_port(), free_port()
        self.argv = [os.path.join(BIN, 'deis-router'), '--http', '127.0.0.1:%d' % self.http, '--metrics',
                     '127.0.0.1:%d' % self.metrics, '--workers', str(workers), '--data', self.dir, *flags]
        self.errors = os.path.join(self.dir, 'stderr')
        self.access = os.path.join(self.dir, 'access')
        self.p = None

    def start(self):
        with open(self.errors, 'a') as f:
            self.p = spawn(self.argv, stderr=f)
        wait_for(lambda: self.p.poll() is not None or self.is_well(), 'router starts')
        if self.p.poll() is not None:
            raise AssertionError('router ended: ' + self.log())
        return self

    def is_well(self):
        try:
            return self.admin('/healthz') == 'ok\n'
        except OSError:
            return False

    def log(self):
        with open(self.errors) as f:
            return f.read()

    def stop(self, how=signal.SIGTERM):
        """Its exit status; how None: it was told already."""
        if self.p is None:
            return 0
        if self.p.poll() is None and how is not None:
            self.p.send_signal(how)
        status = self.p.wait(DEADLINE)
        self.p = None
        return status

    def clear(self):
        status = self.stop()
        text = self.log()
        shutil.rmtree(self.dir)
        if status != 0:
            raise AssertionError('router ended with %d: %s' % (status, text))

    def admin(self, path):
        with urllib.request.urlopen('http://127.0.0.1:%d%s' % (self.metrics, path), timeout=DEADLINE) as r:
            return r.read().decode()

    def routes(self):
        return json.loads(self.admin('/routes'))

    def start_behind(self, etcd):
        """Anew, with a gate between it and the etcd, which is returned."""
        gate = Gate(etcd)
        assert self.stop() == 0
        self.argv[self.argv.index('--etcd') + 1] = gate.url
        self.start()
        wait_for(lambda: '/deis/' in gate.passed, 'its watch stands')
        return gate

    def settled(self):
        """All workers use the newest table."""
        r = self.routes()
        return r['adopted'] == r['generation']

    def wait_for(self, fact, what):
        """Until it is so at one worker, and all have the table that makes it so."""
        wait_for(lambda: fact() and self.settled(), what)

    def metric(self, name):
        for line in self.admin('/metrics').splitlines():
            if line.startswith(name + ' '):
                return float(line.split()[1])
        return 0.0

    def lines(self, word):
        """Whole lines of the access log with this word; waits for one."""
        def found():
            try:
                with open(self.access) as f:
                    return [l for l in f.read().split('\n')[:-1] if word in l]
            except FileNotFoundError:
                return []
        return wait_for(found, 'access log line with ' + word)


class Static(Router):
    """Without etcd; routes: list of (host, port)."""

    def __init__(self, routes, *flags, workers=2):
        super().__init__(workers=workers)
        self.control = os.path.join(self.dir, 'control')
        path = os.path.join(self.dir, 'table')
        with open(path, 'w') as f:
            f.write(''.join('%s 127.0.0.1:%d\n' % r for r in routes))
        self.argv += ['--routes', path, '--access-log', self.access, '--control', self.control, *flags]

    def set(self, host, port):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(DEADLINE)
            s.connect(self.control)
            s.sendall(b'set %s 127.0.0.1:%d\n' % (host.encode(), port))
            return s.makefile().readline().strip()


class Client:
    """Raw bytes to the router."""

    def __init__(self, port, source='127.0.0.1', receive=None):
        """receive: bytes that the kernel may hold for it, else as many as it likes."""
        self.s = socket.socket()
        self.s.settimeout(DEADLINE)
        if receive:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.s.bind((source, 0))
        self.s.connect(('127.0.0.1', port))
        self.buf = b''

    def send(self, data):
        self.s.sendall(data)
        return self

    def more(self):
        data = self.s.recv(65536)
        self.buf += data
        return len(data) > 0

    def until(self, mark):
        while mark not in self.buf:
            if not self.more():
                raise EOFError('closed before %r, after %r' % (mark, self.buf[:200]))
        head, self.buf = self.buf.split(mark, 1)
        return head

    def take(self, n):
        while len(self.buf) < n:
            if not self.more():
                raise EOFError('closed after %d of %d bytes' % (len(self.buf), n))
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def rest(self):
        """All until the router closes."""
        while self.more():
            pass
        data, self.buf = self.buf, b''
        return data

    def answer(self, head_only=False):
        """(status, fields, body); a cut-off body raises EOFError."""
        lines = self.until(b'\r\n\r\n').decode('latin-1').split('\r\n')
        status = int(lines[0].split(' ')[1])
        fields = {}
        for line in lines[1:]:
            name, value = line.split(': ', 1)
            fields[name.lower()] = value
        if head_only or status < 200 or status in (204, 304):
            return status, fields, b''
        if fields.get('transfer-encoding') == 'chunked':
            body = b''
            while True:
                n = int(self.until(b'\r\n'), 16)
                piece = self.take(n + 2)
                if n == 0:
                    return status, fields, body
                body += piece[:-2]
        if 'content-length' in fields:
            return status, fields, self.take(int(fields['content-length']))
        return status, fields, self.rest()

    def closed(self):
        try:
            return self.s.recv(1) == b''
        except ConnectionResetError:
            return True

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()


def get(port, host, path='/', extra='', method='GET', body=b''):
    with Client(port) as c:
        c.send(('%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (method, path, host, extra)).encode() + body)
        return c.answer(head_only=method == 'HEAD')


# Paths with as many 1xx answers as may be, or more; how many of them reach the client, and the status that follows.
INTERIM_LIMITS = (('/many-hints/16/2', 16, 200), ('/many-hints/17/0', 16, 502), ('/many-hints/5/8', 4, 502))


class Origin:
    """A unit: records what it gets and answers as the path says (see answer_*); `tag` tells origins apart."""

    def __init__(self, tag='origin', port=0):
        self.tag = tag
        self.requests = []  # (request line, [(name, value)], body)
        self.connections = 0
        self.open = set()
        self.lock = threading.Lock()
        self.gate = threading.Event()  # /gate answers when it is set
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(('127.0.0.1', port))
        self.s.listen(256)
        self.port = self.s.getsockname()[1]
        self.address = '127.0.0.1:%d' % self.port
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.open.add(c)
            threading.Thread(target=self.connection, args=(c,), daemon=True).start()

    def close(self):
        """Refuse from now on and drop what is open."""
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()
        with self.lock:
            for c in self.open:
                try:
                    c.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def ports(self):
        """Of the router, at the other ends of what is open."""
        found = set()
        with self.lock:
            for c in self.open:
                with contextlib.suppress(OSError):
                    found.add(c.getpeername()[1])
        return found

    def connection(self, c):
        f = c.makefile('rb')
        try:
            while self.one(c, f):
                pass
        except (OSError, ValueError):
            pass
        with self.lock:
            self.open.discard(c)
        f.close()
        c.close()

    def one(self, c, f):
        line = f.readline().decode('latin-1').rstrip('\r\n')
        if not line:
            return False
        fields = []
        while True:
            h = f.readline().decode('latin-1').rstrip('\r\n')
            if not h:
                break
            fields.append(tuple(h.split(': ', 1)))
        method, path, _ = line.split(' ')
        get = dict((n.lower(), v) for n, v in fields).get
        name = path.split('?')[0].strip('/').split('/')[0].replace('-', '_')
        early = getattr(self, 'early_' + name, None)
        if early:
            early(c)
        if get('expect') and name != 'no_continue':
            c.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
        body = b''
        if get('content-length'):
            body = f.read(int(get('content-length')))
        elif get('transfer-encoding') == 'chunked':
            while True:
                n = int(f.readline(), 16)
                body += f.read(n)
                f.readline()
                if n == 0:
                    break
        with self.lock:
            self.requests.append((line, fields, body))
        if early:
            return False
        return getattr(self, 'answer_' + name, self.answer_default)(c, f, method, path, fields, body)

    def plain(self, c, body, status='200 OK', extra='', head=False):
        c.sendall(('HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n' % (status, len(body), extra)).encode() +
                  (b'' if head else body))
        return True

    def answer_default(self, c, f, method, path, fields, body):
        return self.plain(c, self.tag.encode(), head=method == 'HEAD')

    def answer_echo(self, c, f, method, path, fields, body):
        return self.plain(c, body)

    def answer_echo_chunked(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        for i in range(0, len(body), 50000):
            piece = body[i:i + 50000]
            c.sendall(b'%X;a=b\r\n' % len(piece) + piece + b'\r\n')
        c.sendall(b'0\r\nX-Trailer: 1\r\n\r\n')
        return True

    def answer_until_close(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\n\r\nall of it')
        return False

    def answer_big(self, c, f, method, path, fields, body):
        n = int(path.split('/')[2])
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % n)
        block = bytes(range(256)) * 256
        while n > 0:
            c.sendall(block[:n])
            n -= min(n, len(block))
        return True

    def answer_stream(self, c, f, method, path, fields, body):
        """As many bytes in chunks."""
        n = int(path.split('/')[2])
        c.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        while n > 0:
            size = min(n, 50000)
            c.sendall(b'%x\r\n' % size + bytes(size) + b'\r\n')
            n -= size
        c.sendall(b'0\r\n\r\n')
        return True

    def answer_status(self, c, f, method, path, fields, body):
        status = path.split('/')[2]
        if status in ('204', '304'):
            c.sendall(b'HTTP/1.1 %s X\r\nETag: "a"\r\n\r\n' % status.encode())
            return True
        return self.plain(c, b'x', status + ' Something')

    def answer_hints(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n')
        return self.plain(c, b'after hints')

    def answer_many_hints(self, c, f, method, path, fields, body):
        """/many-hints/NUMBER/LINES: heads with so many lines of 1000 bytes."""
        number, lines = map(int, path.split('/')[2:])
        line = b'Link: </' + b'a' * 986 + b'.js>\r\n'
        for _ in range(number):
            c.sendall(b'HTTP/1.1 103 Early Hints\r\n' + line * lines + b'\r\n')
        return self.plain(c, b'after hints')

    def answer_hop(self, c, f, method, path, fields, body):
        return self.plain(c, b'ok', extra='Connection: keep-alive, X-Secret\r\nKeep-Alive: timeout=5\r\nX-Secret: 1\r\nX-Open: 2\r\n')

    def answer_gate(self, c, f, method, path, fields, body):
        self.gate.wait(DEADLINE)
        return self.plain(c, self.tag.encode())

    def answer_slow(self, c, f, method, path, fields, body):
        time.sleep(float(path.split('/')[2]))
        return self.plain(c, self.tag.encode())

    def answer_split(self, c, f, method, path, fields, body):
        for b in b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok':
            c.sendall(bytes([b]))
            time.sleep(0.002)
        return True

    # --- units that misbehave ---

    def answer_drop(self, c, f, method, path, fields, body):
        return False

    def answer_reset(self, c, f, method, path, fields, body):
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        return False

    def answer_short(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this')
        return False

    def answer_short_large(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n' + b'a' * 3000000)
        return False

    def answer_short_chunked(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this')
        return False

    def answer_bad_chunk(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\nzz\r\n')
        return False

    def answer_long(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfourHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
        return True

    def answer_late(self, c, f, method, path, fields, body):
        """Speaks again once the answer is out."""
        self.plain(c, b'four')
        self.gate.wait(DEADLINE)
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
        return True

    def answer_garbage(self, c, f, method, path, fields, body):
        c.sendall(b'220 mail.example.com ESMTP\r\n\r\n')
        return False

    def answer_half_head(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Le')
        return False

    def answer_huge_head(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\nX-A: ' + b'a' * 40000 + b'\r\n\r\n')
        return False

    def answer_101(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
        return False

    def answer_two_lengths(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab')
        return False

    def early_early(self, c):
        c.sendall(b'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')

    def answer_ws(self, c, f, method, path, fields, body):
        """WebSocket: echoes whole frames of clients until one says close."""
        key = dict((n.lower(), v) for n, v in fields)['sec-websocket-key']
        accept = base64.b64encode(hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest())
        c.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                  b'Sec-WebSocket-Accept: ' + accept + b'\r\n\r\n' + ws_frame(b'hello'))
        while True:
            op, data = ws_read(f.read)
            c.sendall(ws_frame(data, op))
            if op == 8:
                return False


def ws_frame(data, op=1, mask=None):
    n = len(data)
    bit = 0x80 if mask else 0
    if n < 126:
        head = struct.pack('!BB', 0x80 | op, bit | n)
    elif n < 65536:
        head = struct.pack('!BBH', 0x80 | op, bit | 126, n)
    else:
        head = struct.pack('!BBQ', 0x80 | op, bit | 127, n)
    if mask:
        whole = (mask * (n // 4 + 1))[:n]
        data = (int.from_bytes(data, 'big') ^ int.from_bytes(whole, 'big')).to_bytes(n, 'big')
        head += mask
    return head + data


def ws_read(read):
    a, b = read(2)
    n = b & 127
    if n == 126:
        n = struct.unpack('!H', read(2))[0]
    elif n == 127:
        n = struct.unpack('!Q', read(8))[0]
    mask = read(4) if b & 128 else None
    data = read(n)
    if mask:
        whole = (mask * (n // 4 + 1))[:n]
        data = (int.from_bytes(data, 'big') ^ int.from_bytes(whole, 'big')).to_bytes(n, 'big')
    return a & 15, data


class Etcd:
    """An etcd of the test's own, spoken to through its JSON gateway."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='deis-etcd.')
        self.port, self.peer = free_port(), free_port()
        self.url = 'http://127.0.0.1:%d' % self.port
        self.p = None

    def start(self):
        peer = 'http://127.0.0.1:%d' % self.peer
        self.p = spawn(['etcd', '--data-dir', self.dir, '--listen-client-urls', self.url, '--advertise-client-urls',
                        self.url, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
                        '--initial-cluster', 'default=' + peer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers, 'etcd starts')
        return self

    def answers(self):
        try:
            return self.get('/deis/nothing') is None
        except OSError:
            return False

    def call(self, path, **kw):
        data = json.dumps(dict((k, base64.b64encode(v.encode()).decode() if k in ('key', 'value', 'range_end') else v)
                               for k, v in kw.items())).encode()
        with urllib.request.urlopen(self.url + '/v3/' + path, data, timeout=DEADLINE) as r:
            return json.load(r)

    def put(self, key, value):
        self.call('kv/put', key='/deis/' + key, value=value if isinstance(value, str) else json.dumps(value))

    def put_many(self, pairs):
        """(key, value)s, many at once: etcd takes 128 in a transaction."""
        code = lambda s: base64.b64encode(s.encode()).decode()
        for i in range(0, len(pairs), 100):
            ops = [{'requestPut': {'key': code('/deis/' + k), 'value': code(v if isinstance(v, str) else json.dumps(v))}}
                   for k, v in pairs[i:i + 100]]
            data = json.dumps({'success': ops}).encode()
            with urllib.request.urlopen(self.url + '/v3/kv/txn', data, timeout=DEADLINE) as r:
                r.read()

    def delete(self, key):
        self.call('kv/deleterange', key='/deis/' + key)

    def get(self, key):
        kvs = self.call('kv/range', key='/deis/' + key).get('kvs')
        return base64.b64decode(kvs[0].get('value', '')).decode() if kvs else None

    def stop(self):
        self.p.kill()
        self.p.wait()

    def lose(self):
        """An etcd that knows nothing any more."""
        self.stop()
        shutil.rmtree(self.dir)
        os.mkdir(self.dir, 0o700)
        return self.start()

    def clear(self):
        self.stop()
        shutil.rmtree(self.dir)


class Gate:
    """Stands before an etcd. `held`: requests for this key wait; None: all pass."""

    def __init__(self, etcd):
        self.etcd = etcd
        self.held = None
        self.waiting = False  # some request for it
        self.passed = set()  # keys
        self.changed = threading.Condition()
        self.s = socket.create_server(('127.0.0.1', 0), backlog=256)
        self.url = 'http://127.0.0.1:%d' % self.s.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def hold(self, key):
        with self.changed:
            self.held, self.waiting = key, False
            self.changed.notify_all()

    def close(self):
        self.hold(None)
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()

    def serve(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.connection, args=(c,), daemon=True).start()

    def connection(self, c):
        try:
            with c, socket.create_connection(('127.0.0.1', self.etcd.port)) as e, c.makefile('rb') as f:
                threading.Thread(target=self.answers, args=(e, c), daemon=True).start()
                while self.one(f, e):
                    pass
                e.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def one(self, f, e):
        head = [f.readline()]
        while head[-1] not in (b'\r\n', b''):
            head.append(f.readline())
        if not head[-1]:
            return False
        length = [int(line.split(b':')[1]) for line in head if line.lower().startswith(b'content-length:')]
        body = f.read(length[0]) if length else b''
        key = re.search(b'"key": *"([^"]*)"', body)
        key = base64.b64decode(key.group(1)).decode() if key else ''
        with self.changed:
            self.waiting = self.waiting or key == self.held
            self.changed.wait_for(lambda: key != self.held)
            self.passed.add(key)
        e.sendall(b''.join(head) + body)
        return True

    @staticmethod
    def answers(e, c):
        try:
            while data := e.recv(65536):
                c.sendall(data)
            c.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
