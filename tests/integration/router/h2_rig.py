# SPDX-License-Identifier: MIT
"""A client of HTTP/2 that sends whatever frames it is told to: only HPACK is taken from a library."""
import struct
import sys

import rig

sys.path.append('/usr/lib/python3/dist-packages')
import hpack  # noqa: E402  (Debian's python3-hpack)

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
PADDED = 8
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, _, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, \
    COMPRESSION_ERROR, _, ENHANCE_YOUR_CALM = range(12)
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'


class Reset(Exception):
    """The stream was reset."""

    def __init__(self, code):
        super().__init__('stream reset: %d' % code)
        self.code = code


class Gone(Exception):
    """The connection ended; code NONE: without a GOAWAY."""

    def __init__(self, code):
        super().__init__('connection ended: %s' % code)
        self.code = code


class Answer:
    def __init__(self):
        self.heads = []  # of 1xx, then the final one, then trailers
        self.body = b''
        self.ended = False
        self.reset = None
        self.window = 65535

    @property
    def status(self):
        finals = [h for h in self.heads if not dict(h).get(':status', '1').startswith('1')]
        return int(dict(finals[0])[':status']) if finals else None

    @property
    def fields(self):
        return dict(next(h for h in self.heads if not dict(h).get(':status', '1').startswith('1')))


class Client:
    """c: a rig.Client (plain or TLS) that has sent nothing. credit: give windows back as data come."""

    def __init__(self, c, host, settings=(), preface=True, credit=True):
        self.c = c
        self.host = host
        self.credit = credit
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.answers = {}
        self.next_id = 1
        self.goaways = []  # (last stream, code)
        self.pings = []
        self.settings = {}
        self.windows = {0: 65535}  # what we may send
        self.stream_window = 65535
        if preface:
            c.send(PREFACE)
            self.frame(SETTINGS, 0, 0, b''.join(struct.pack('!HI', k, v) for k, v in settings))

    # --- sending ---

    def raw(self, data):
        self.c.send(data)
        return self

    def frame(self, kind, flags, stream, payload=b''):
        return self.raw(struct.pack('!I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('!I', stream) + payload)

    def block(self, fields):
        return self.encoder.encode(fields, huffman=False)

    def usual(self, method='GET', path='/', **more):
        return [(':method', method), (':scheme', 'https'), (':authority', self.host), (':path', path)] + \
            [(k.replace('_', '-'), v) for k, v in more.items()]

    def open(self, fields=None, end=True, flags=END_HEADERS, **kw):
        """Sends a head; returns the stream's id."""
        sid = self.next_id
        self.next_id += 2
        self.answers[sid] = Answer()
        self.windows[sid] = self.stream_window
        self.frame(HEADERS, flags | (END_STREAM if end else 0), sid, self.block(fields or self.usual(**kw)))
        return sid

    def data(self, sid, data=b'', end=False):
        return self.frame(DATA, END_STREAM if end else 0, sid, data)

    def upload(self, sid, data, end=True):
        """All of it, as the windows allow, unless an answer comes before the end."""
        at = 0
        while at < len(data) and not self.answers[sid].ended and self.answers[sid].reset is None:
            room = min(self.windows[0], self.windows[sid], 16384, len(data) - at)
            if room <= 0:
                self.step()
                continue
            self.windows[0] -= room
            self.windows[sid] -= room
            self.data(sid, data[at:at + room], end and at + room == len(data))
            at += room

    # --- receiving ---

    def step(self):
        """Takes one frame in. Raises Gone at the end of the connection."""
        try:
            head = self.c.take(9)
            size = struct.unpack('!I', b'\0' + head[:3])[0]
            kind, flags = head[3], head[4]
            sid = struct.unpack('!I', head[5:])[0] & 0x7fffffff
            payload = self.c.take(size)
        except (EOFError, ConnectionError, OSError):
            raise Gone(self.goaways[-1][1] if self.goaways else None) from None
        a = self.answers.get(sid)
        if kind == HEADERS:
            while not flags & END_HEADERS:
                more = self.c.take(9)
                payload += self.c.take(struct.unpack('!I', b'\0' + more[:3])[0])
                flags |= more[4] & END_HEADERS
            a.heads.append(self.decoder.decode(payload))
            a.ended = a.ended or flags & END_STREAM != 0
        elif kind == DATA:
            a.body += payload
            a.ended = a.ended or flags & END_STREAM != 0
            if self.credit and payload:
                self.frame(WINDOW_UPDATE, 0, 0, struct.pack('!I', size))
                if not a.ended:
                    self.frame(WINDOW_UPDATE, 0, sid, struct.pack('!I', size))
        elif kind == RST_STREAM and a:
            a.reset = struct.unpack('!I', payload)[0]
        elif kind == SETTINGS and not flags & ACK:
            for i in range(0, size, 6):
                key, value = struct.unpack('!HI', payload[i:i + 6])
                self.settings[key] = value
                if key == 4:
                    for s in self.windows:
                        self.windows[s] += value - self.stream_window if s else 0
                    self.stream_window = value
            self.frame(SETTINGS, ACK, 0)
        elif kind == WINDOW_UPDATE:
            self.windows[sid] = self.windows.get(sid, 0) + struct.unpack('!I', payload)[0]
        elif kind == PING:
            if flags & ACK:
                self.pings.append(payload)
            else:
                self.frame(PING, ACK, 0, payload)
        elif kind == GOAWAY:
            self.goaways.append(struct.unpack('!II', payload[:8]))
        return kind

    def answer(self, sid):
        """The whole answer; a reset before its end raises."""
        a = self.answers[sid]
        while not a.ended and a.reset is None:
            self.step()
        if not a.ended:
            raise Reset(a.reset)
        return a

    def head(self, sid):
        a = self.answers[sid]
        while a.status is None:
            if a.reset is not None:
                raise Reset(a.reset)
            self.step()
        return a

    def get(self, path='/', **kw):
        return self.answer(self.open(path=path, **kw))

    def ping(self, data=b'12345678'):
        """Everything that was sent before has been taken in."""
        self.frame(PING, 0, 0, data)
        while data not in self.pings:
            self.step()
        self.pings.remove(data)

    def end(self):
        """The code the connection ends with."""
        try:
            while True:
                self.step()
        except Gone as e:
            return e.code

    def is_alive(self):
        try:
            self.ping(b'arethere')
            return True
        except (Gone, OSError):
            return False

    def close(self):
        self.c.close()


def plain(port, host, **kw):
    return Client(rig.Client(port), host, **kw)
