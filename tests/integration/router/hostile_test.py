# SPDX-License-Identifier: MIT
"""Raw requests and their verdicts, by the sections of RFC 9110, 9112 and 6455, against an origin that records what it gets."""
import select
import socket
import threading
import unittest

import h2_rig as h2
import rig

HOST = b'app.test'
H = b'Host: app.test\r\n'


def get(*fields, line=b'GET / HTTP/1.1', host=H):
    return line + b'\r\n' + host + b''.join(f + b'\r\n' for f in fields) + b'\r\n'


def post(*fields, body=b'', line=b'POST / HTTP/1.1', host=H):
    return get(*fields, line=line, host=host) + body


def chunked(body, *fields):
    return post(b'Transfer-Encoding: chunked', *fields, body=body)


# What must be refused: (section, name, bytes, status). The connection is closed, and no origin gets a request.
REFUSED = [
    # RFC 9112 section 2.2: message parsing
    ('9112 2.2', 'bare LF after the request line', b'GET / HTTP/1.1\nHost: app.test\r\n\r\n', 400),
    ('9112 2.2', 'bare LF after a field', b'GET / HTTP/1.1\r\nHost: app.test\n\r\n', 400),
    ('9112 2.2', 'bare LF at the end of the head', b'GET / HTTP/1.1\r\nHost: app.test\r\n\n', 400),
    ('9112 2.2', 'only LFs', b'GET / HTTP/1.1\nHost: app.test\n\n', 400),
    ('9112 2.2', 'bare CR in the request line', b'GET /\r HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 2.2', 'bare CR in a value', get(b'A: b\rc'), 400),
    ('9112 2.2', 'bare CR in a name', get(b'A\rB: c'), 400),
    ('9112 2.2', 'CR CR LF', b'GET / HTTP/1.1\r\r\n' + H + b'\r\n', 400),
    ('9112 2.2', 'whitespace before the first field', b'GET / HTTP/1.1\r\n Host: app.test\r\n\r\n', 400),
    ('9112 2.2', 'tab before the first field', b'GET / HTTP/1.1\r\n\tA: b\r\n' + H + b'\r\n', 400),
    ('9112 2.2', 'many empty lines before', b'\r\n' * 8 + get(), 400),
    ('9112 2.2', 'a space before the request line', b' ' + get(), 400),
    ('9112 2.2', 'UTF-8 byte order mark', b'\xef\xbb\xbf' + get(), 400),
    ('9112 2.2', 'NUL before the request line', b'\0' + get(), 400),
    # RFC 9112 section 3: request line
    ('9112 3', 'no target', b'GET HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'no version', b'GET /\r\n' + H + b'\r\n', 400),
    ('9112 3', 'method alone', b'GET\r\n' + H + b'\r\n', 400),
    ('9112 3', 'two spaces after the method', b'GET  / HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'two spaces before the version', b'GET /  HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'space behind the version', b'GET / HTTP/1.1 \r\n' + H + b'\r\n', 400),
    ('9112 3', 'tab as separator', b'GET\t/\tHTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'vertical tab as separator', b'GET\x0b/ HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'form feed as separator', b'GET /\x0cHTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'four words', b'GET / x HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'space in the target', b'GET /a b HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'NUL in the target', b'GET /\0 HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'control byte in the target', b'GET /\x01 HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'DEL in the target', b'GET /\x7f HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'bytes above ASCII in the target', b'GET /\xc3\xbc HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'a fragment', b'GET /a#b HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3', 'long target', b'GET /' + b'a' * 9000 + b' HTTP/1.1\r\n' + H + b'\r\n', 414),
    ('9112 3', 'endless target', b'GET /' + b'a' * 40000, 414),
    ('9112 3.1', 'colon in the method', b'G:T / HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.1', 'slash in the method', b'GE/T / HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.1', 'quote in the method', b'"GET" / HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.1', 'empty method', b' / HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.1', 'control byte in the method', b'G\x01T / HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.1', 'bytes above ASCII in the method', b'G\xc3\xa9T / HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2', 'no slash', b'GET a HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2', 'no slash, a query', b'GET ?a=b HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2', 'back-slash', b'GET \\ HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2.2', 'absolute form of another host', b'GET http://other.test/ HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2.2', 'absolute form without a host', b'GET http:/// HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2.2', 'absolute form with user information', b'GET http://a@app.test/ HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2.2', 'absolute form of another scheme', b'GET ftp://app.test/ HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2.2', 'absolute form of a file', b'GET file:///etc/passwd HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2.2', 'absolute form without Host', b'GET http://app.test/ HTTP/1.1\r\n\r\n', 400),
    ('9112 3.2.3', 'CONNECT', b'CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n', 501),
    ('9112 3.2.3', 'CONNECT to a path', b'CONNECT / HTTP/1.1\r\n' + H + b'\r\n', 501),
    ('9112 3.2.3', 'authority form of GET', b'GET app.test:80 HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2.4', 'asterisk form of GET', b'GET * HTTP/1.1\r\n' + H + b'\r\n', 400),
    ('9112 3.2.4', 'asterisk and a path', b'OPTIONS */a HTTP/1.1\r\n' + H + b'\r\n', 400),
    # RFC 9112 section 2.3: version
    ('9112 2.3', 'HTTP/0.9', b'GET /\r\n\r\n', 400),
    ('9112 2.3', 'HTTP/1.2', b'GET / HTTP/1.2\r\n' + H + b'\r\n', 505),
    ('9112 2.3', 'HTTP/2.0', b'GET / HTTP/2.0\r\n' + H + b'\r\n', 505),
    ('9112 2.3', 'HTTP/3.0', b'GET / HTTP/3.0\r\n' + H + b'\r\n', 505),
    ('9112 2.3', 'HTTP/0.9 spelled out', b'GET / HTTP/0.9\r\n' + H + b'\r\n', 505),
    ('9112 2.3', 'HTTP/1.10', b'GET / HTTP/1.10\r\n' + H + b'\r\n', 400),
    ('9112 2.3', 'HTTP/01.1', b'GET / HTTP/01.1\r\n' + H + b'\r\n', 400),
    ('9112 2.3', 'HTTP/1', b'GET / HTTP/1\r\n' + H + b'\r\n', 400),
    ('9112 2.3', 'HTTP/1.', b'GET / HTTP/1.\r\n' + H + b'\r\n', 400),
    ('9112 2.3', 'HTTP 1.1', b'GET / HTTP 1.1\r\n' + H + b'\r\n', 400),
    ('9112 2.3', 'lower case', b'GET / http/1.1\r\n' + H + b'\r\n', 400),
    ('9112 2.3', 'another name', b'GET / HTTPS/1.1\r\n' + H + b'\r\n', 400),
    ('9112 2.3', 'a letter', b'GET / HTTP/1.x\r\n' + H + b'\r\n', 400),
    ('9113 3.4', 'HTTP/2 with prior knowledge', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes(9), 505),
    ('8446', 'TLS on the plain port', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(100), 400),
    ('4253', 'SSH', b'SSH-2.0-OpenSSH_9.2\r\n\r\n', 400),
    ('5321', 'SMTP', b'EHLO example.com\r\n\r\n', 400),
    ('proxy', 'a PROXY header of nobody in particular', b'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n' + get(), 400),
    # RFC 9112 section 5: fields
    ('9112 5.1', 'space before the colon', get(b'A : b'), 400),
    ('9112 5.1', 'tab before the colon', get(b'A\t: b'), 400),
    ('9112 5.1', 'space before the colon of a length', post(b'Content-Length : 3', body=b'abc'), 400),
    ('9112 5.1', 'space before the colon of a coding', post(b'Transfer-Encoding : chunked', body=b'0\r\n\r\n'), 400),
    ('9110 5.1', 'no colon', get(b'A'), 400),
    ('9110 5.1', 'empty name', get(b': b'), 400),
    ('9110 5.1', 'space in a name', get(b'A B: c'), 400),
    ('9110 5.1', 'NUL in a name', get(b'A\0: b'), 400),
    ('9110 5.1', 'control byte in a name', get(b'A\x1f: b'), 400),
    ('9110 5.1', 'DEL in a name', get(b'A\x7f: b'), 400),
    ('9110 5.1', 'bytes above ASCII in a name', get(b'\xc3\xa4: b'), 400),
    ('9110 5.1', 'parenthesis in a name', get(b'A(b): c'), 400),
    ('9110 5.1', 'slash in a name', get(b'A/b: c'), 400),
    ('9110 5.1', 'quote in a name', get(b'"A": c'), 400),
    ('9110 5.1', 'at in a name', get(b'a@b: c'), 400),
    ('9110 5.1', 'bracket in a name', get(b'a[0]: c'), 400),
    ('9110 5.1', 'brace in a name', get(b'{a}: c'), 400),
    ('9110 5.1', 'comma in a name', get(b'a,b: c'), 400),
    ('9110 5.1', 'semicolon in a name', get(b'a;b: c'), 400),
    ('9110 5.1', 'equals sign in a name', get(b'a=b: c'), 400),
    ('9110 5.5', 'NUL in a value', get(b'A: b\0c'), 400),
    ('9110 5.5', 'control byte in a value', get(b'A: b\x01c'), 400),
    ('9110 5.5', 'escape in a value', get(b'A: \x1b[31m'), 400),
    ('9110 5.5', 'vertical tab in a value', get(b'A: b\x0bc'), 400),
    ('9110 5.5', 'DEL in a value', get(b'A: b\x7f'), 400),
    ('9112 5.2', 'folded line', get(b'A: b', b' c'), 400),
    ('9112 5.2', 'folded line with a tab', get(b'A: b', b'\tc'), 400),
    ('9112 5.2', 'folded empty line', get(b'A: b', b' '), 400),
    ('9112 5.2', 'folded coding', post(b'Transfer-Encoding:', b' chunked', body=b'0\r\n\r\n'), 400),
    ('9112 5.2', 'folded length', post(b'Content-Length: 1', b' 0', body=b'0123456789'), 400),
    ('9110 5.4', 'large field', get(b'A: ' + b'b' * 33000), 431),
    ('9110 5.4', 'large name', get(b'A' * 33000 + b': b'), 431),
    ('9110 5.4', 'endless field', b'GET / HTTP/1.1\r\n' + H + b'A: ' + b'b' * 70000, 431),
    ('9110 5.4', 'many fields', get(*[b'A: b'] * 100), 431),
    ('9110 5.4', 'many empty fields', get(*[b'A:'] * 5000), 431),
    # RFC 9112 section 3.2, RFC 9110 section 7.2: Host
    ('9112 3.2', 'no Host', b'GET / HTTP/1.1\r\n\r\n', 400),
    ('9112 3.2', 'no Host in HTTP/1.0', b'GET / HTTP/1.0\r\n\r\n', 400),
    ('9112 3.2', 'two Hosts', get(H.strip()), 400),
    ('9112 3.2', 'two Hosts that differ', get(b'Host: other.test'), 400),
    ('9112 3.2', 'second Host in another case', get(b'HOST: app.test'), 400),
    ('9112 3.2', 'empty Host', get(host=b'Host:\r\n'), 400),
    ('9112 3.2', 'blank Host', get(host=b'Host:  \r\n'), 400),
    ('9112 3.2', 'list of hosts', get(host=b'Host: app.test, other.test\r\n'), 400),
    ('9112 3.2', 'two words', get(host=b'Host: app.test other.test\r\n'), 400),
    ('9112 3.2', 'user information', get(host=b'Host: a@app.test\r\n'), 400),
    ('9112 3.2', 'a path', get(host=b'Host: app.test/x\r\n'), 400),
    ('9112 3.2', 'a query', get(host=b'Host: app.test?x\r\n'), 400),
    ('9112 3.2', 'a fragment', get(host=b'Host: app.test#x\r\n'), 400),
    ('9112 3.2', 'a scheme', get(host=b'Host: http://app.test\r\n'), 400),
    ('9112 3.2', 'port of letters', get(host=b'Host: app.test:http\r\n'), 400),
    ('9112 3.2', 'port with a sign', get(host=b'Host: app.test:+80\r\n'), 400),
    ('9112 3.2', 'port that is empty', get(host=b'Host: app.test:\r\n'), 400),  # RFC 3986 allows it; nobody sends it
    ('9112 3.2', 'port too large', get(host=b'Host: app.test:65536\r\n'), 400),
    ('9112 3.2', 'two ports', get(host=b'Host: app.test:80:80\r\n'), 400),
    ('9112 3.2', 'port alone', get(host=b'Host: :80\r\n'), 400),
    ('9112 3.2', 'back-slash', get(host=b'Host: app.test\\x\r\n'), 400),
    ('9112 3.2', 'bytes above ASCII', get(host=b'Host: \xc3\xa4pp.test\r\n'), 400),
    ('9112 3.2', 'quote', get(host=b'Host: app"test\r\n'), 400),
    ('9112 3.2', 'angle bracket', get(host=b'Host: app<test\r\n'), 400),
    ('9112 3.2', 'open bracket', get(host=b'Host: [::1\r\n'), 400),
    # RFC 9112 section 6: length of the body
    ('9112 6.1', 'length and coding', post(b'Content-Length: 5', b'Transfer-Encoding: chunked', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'coding and length', post(b'Transfer-Encoding: chunked', b'Content-Length: 5', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'length zero and coding', post(b'Content-Length: 0', b'Transfer-Encoding: chunked', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'coding that is not known', post(b'Transfer-Encoding: gzip', body=b'abc'), 400),
    ('9112 6.1', 'chunked not last', post(b'Transfer-Encoding: chunked, gzip', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'gzip and chunked', post(b'Transfer-Encoding: gzip, chunked', body=b'0\r\n\r\n'), 501),
    ('9112 6.1', 'identity', post(b'Transfer-Encoding: identity', body=b''), 400),
    ('9112 6.1', 'chunked twice in a list', chunked(b'', b'X: y').replace(b'chunked', b'chunked, chunked'), 400),
    ('9112 6.1', 'chunked twice in two fields', chunked(b'0\r\n\r\n', b'Transfer-Encoding: chunked'), 400),
    ('9112 6.1', 'chunked with a parameter', post(b'Transfer-Encoding: chunked;q=1', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'chunked in quotes', post(b'Transfer-Encoding: "chunked"', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'xchunked', post(b'Transfer-Encoding: xchunked', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'chunkedx', post(b'Transfer-Encoding: chunkedx', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'chunked behind a vertical tab', post(b'Transfer-Encoding: \x0bchunked', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'chunked with a NUL', post(b'Transfer-Encoding: chunked\0', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'empty coding', post(b'Transfer-Encoding:', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'comma alone', post(b'Transfer-Encoding: ,', body=b'0\r\n\r\n'), 400),
    ('9112 6.1', 'coding in HTTP/1.0', post(b'Transfer-Encoding: chunked', body=b'0\r\n\r\n', line=b'POST / HTTP/1.0'), 400),
    ('9112 6.1', 'name with an underscore does not count, the length does', post(b'Transfer_Encoding: chunked', b'Content-Length: x'), 400),
    ('9112 6.3', 'two lengths alike', post(b'Content-Length: 3', b'Content-Length: 3', body=b'abc'), 400),
    ('9112 6.3', 'two lengths that differ', post(b'Content-Length: 3', b'Content-Length: 4', body=b'abc'), 400),
    ('9112 6.3', 'list of lengths alike', post(b'Content-Length: 3, 3', body=b'abc'), 400),
    ('9112 6.3', 'list of lengths that differ', post(b'Content-Length: 3, 4', body=b'abc'), 400),
    ('9110 8.6', 'leading zeros', post(b'Content-Length: 003', body=b'abc'), 400),  # allowed, and octal to some
    ('9110 8.6', 'plus sign', post(b'Content-Length: +3', body=b'abc'), 400),
    ('9110 8.6', 'minus sign', post(b'Content-Length: -3', body=b'abc'), 400),
    ('9110 8.6', 'minus zero', post(b'Content-Length: -0'), 400),
    ('9110 8.6', 'hexadecimal', post(b'Content-Length: 0x3', body=b'abc'), 400),
    ('9110 8.6', 'fraction', post(b'Content-Length: 3.0', body=b'abc'), 400),
    ('9110 8.6', 'exponent', post(b'Content-Length: 3e0', body=b'abc'), 400),
    ('9110 8.6', 'letters behind', post(b'Content-Length: 3a', body=b'abc'), 400),
    ('9110 8.6', 'space within', post(b'Content-Length: 1 0', body=b'0123456789'), 400),
    ('9110 8.6', 'empty length', post(b'Content-Length:'), 400),
    ('9110 8.6', 'in quotes', post(b'Content-Length: "3"', body=b'abc'), 400),
    ('9110 8.6', 'more than 64 bits', post(b'Content-Length: 18446744073709551616'), 400),
    ('9110 8.6', 'wraps to 3', post(b'Content-Length: 18446744073709551619', body=b'abc'), 400),
    ('9110 8.6', 'hundred digits', post(b'Content-Length: ' + b'9' * 100), 400),
    ('9110 8.6', 'larger than allowed', post(b'Content-Length: 1048577'), 413),
    ('9110 8.6', 'largest number', post(b'Content-Length: 9223372036854775807'), 400),
    # RFC 9112 section 7.1: chunks
    ('9112 7.1', 'size of letters', chunked(b'g\r\n'), 400),
    ('9112 7.1', 'empty size', chunked(b'\r\nabc\r\n0\r\n\r\n'), 400),
    ('9112 7.1', 'minus', chunked(b'-1\r\n'), 400),
    ('9112 7.1', 'plus', chunked(b'+1\r\na\r\n0\r\n\r\n'), 400),
    ('9112 7.1', '0x', chunked(b'0x1\r\na\r\n0\r\n\r\n'), 400),
    ('9112 7.1', 'space before the size', chunked(b' 1\r\na\r\n0\r\n\r\n'), 400),
    ('9112 7.1', 'underscore', chunked(b'1_0\r\n'), 400),
    ('9112 7.1', 'more than 64 bits', chunked(b'10000000000000001\r\na'), 400),
    ('9112 7.1', 'many zeros', chunked(b'0' * 5000 + b'1\r\na\r\n'), 400),
    ('9112 7.1', 'bare LF behind the size', chunked(b'1\na\r\n0\r\n\r\n'), 400),
    ('9112 7.1', 'bare CR behind the size', chunked(b'1\ra\r\n0\r\n\r\n'), 400),
    ('9112 7.1', 'bare LF behind the data', chunked(b'1\r\na\n0\r\n\r\n'), 400),
    ('9112 7.1', 'nothing behind the data', chunked(b'1\r\na0\r\n\r\n'), 400),
    ('9112 7.1', 'more data than said', chunked(b'1\r\nab\r\n0\r\n\r\n'), 400),
    ('9112 7.1', 'less data than said', chunked(b'3\r\na\r\n0\r\n\r\n'), 400),
    ('9112 7.1', 'larger than allowed', chunked(b'200000\r\n' + b'a' * 0x200000 + b'\r\n'), 413),
    ('9112 7.1', 'larger than allowed, in many chunks', chunked((b'10000\r\n' + b'a' * 65536 + b'\r\n') * 17), 413),
    ('9112 7.1.1', 'long extension', chunked(b'1;' + b'a' * 5000 + b'\r\na\r\n0\r\n\r\n'), 400),
    ('9112 7.1.1', 'line feed in an extension', chunked(b'1;a\nb\r\na\r\n0\r\n\r\n'), 400),
    ('9112 7.1.1', 'carriage return in an extension', chunked(b'1;a\rb\r\na\r\n0\r\n\r\n'), 400),
    ('9112 7.1.1', 'NUL in an extension', chunked(b'1;a\0\r\na\r\n0\r\n\r\n'), 400),
    ('9112 7.1.2', 'large trailers', chunked(b'0\r\n' + b'A: b\r\n' * 3000 + b'\r\n'), 400),
    ('9112 7.1.2', 'bare LF in trailers', chunked(b'0\r\nA: b\n\r\n'), 400),
    ('9112 7.1.2', 'bare LF at the end', chunked(b'0\r\n\n'), 400),
    ('9112 7.1.2', 'no colon in a trailer', chunked(b'0\r\nGET / HTTP/1.1\r\n\r\n'), 400),
    ('9112 7.1.2', 'space before the colon of a trailer', chunked(b'0\r\nA : b\r\n\r\n'), 400),
    ('9112 7.1.2', 'NUL in a trailer', chunked(b'0\r\nA: \0\r\n\r\n'), 400),
    ('9112 7.1.2', 'folded trailer', chunked(b'0\r\nA: b\r\n c\r\n\r\n'), 400),
]

# What passes: (section, name, bytes, request line at the origin, fields that it must get (None: must not get), body).
PASSED = [
    ('9112 2.2', 'an empty line before', b'\r\n' + get(), b'GET / HTTP/1.1', {}, b''),
    ('9112 2.2', 'two empty lines before', b'\r\n\r\n' + get(), b'GET / HTTP/1.1', {}, b''),
    ('9112 3', 'target of all characters', get(line=b"GET /a%20b/-._~!$&'()*+,;=:@?x=/?%00 HTTP/1.1"), b"GET /a%20b/-._~!$&'()*+,;=:@?x=/?%00 HTTP/1.1", {}, b''),
    ('9112 3', 'dots and slashes stay as they are', get(line=b'GET //a/../b/./%2e%2e//c HTTP/1.1'), b'GET //a/../b/./%2e%2e//c HTTP/1.1', {}, b''),
    ('9112 3', 'long target', get(line=b'GET /' + b'a' * 8000 + b' HTTP/1.1'), b'GET /' + b'a' * 8000 + b' HTTP/1.1', {}, b''),
    ('9112 3', 'characters that should be escaped', get(line=b'GET /{a}|"<>^` HTTP/1.1'), b'GET /{a}|"<>^` HTTP/1.1', {}, b''),
    ('9110 9.1', 'method that is not known', get(line=b'BREW / HTTP/1.1'), b'BREW / HTTP/1.1', {}, b''),
    ('9110 9.1', 'methods know case', get(line=b'get / HTTP/1.1'), b'get / HTTP/1.1', {}, b''),
    ('9110 9.1', 'method of all characters', get(line=b"M-S!#$%&'*+.^_`|~9 / HTTP/1.1"), b"M-S!#$%&'*+.^_`|~9 / HTTP/1.1", {}, b''),
    ('9110 9.3.7', 'OPTIONS of the server', get(line=b'OPTIONS * HTTP/1.1'), b'OPTIONS * HTTP/1.1', {}, b''),
    ('9112 3.2.2', 'absolute form', get(line=b'GET http://app.test/a?b HTTP/1.1'), b'GET /a?b HTTP/1.1', {'host': 'app.test'}, b''),
    ('9112 3.2.2', 'absolute form without a path', get(line=b'GET http://app.test HTTP/1.1'), b'GET / HTTP/1.1', {}, b''),
    ('9112 3.2.2', 'absolute form in upper case', get(line=b'GET HTTP://app.test/ HTTP/1.1'), b'GET / HTTP/1.1', {}, b''),
    ('9112 2.3', 'HTTP/1.0 goes on as 1.1', get(line=b'GET / HTTP/1.0'), b'GET / HTTP/1.1', {'connection': None}, b''),
    ('9112 3.2', 'host in upper case', get(host=b'HOST: APP.TEST\r\n'), b'GET / HTTP/1.1', {'host': 'APP.TEST'}, b''),
    ('9112 3.2', 'host with a port', get(host=b'Host: app.test:8080\r\n'), b'GET / HTTP/1.1', {'host': 'app.test:8080'}, b''),
    ('9112 3.2', 'host with a final dot', get(host=b'Host: app.test.\r\n'), b'GET / HTTP/1.1', {}, b''),
    ('9112 5.1', 'no blank behind the colon', get(b'A:b'), b'GET / HTTP/1.1', {'a': 'b'}, b''),
    ('9112 5.1', 'blanks and tabs around a value', get(b'A: \t b c \t '), b'GET / HTTP/1.1', {'a': 'b c'}, b''),
    ('9110 5.5', 'empty value', get(b'A:'), b'GET / HTTP/1.1', {'a': ''}, b''),
    ('9110 5.5', 'tab in a value', get(b'A: b\tc'), b'GET / HTTP/1.1', {'a': 'b\tc'}, b''),
    ('9110 5.5', 'bytes above ASCII in a value', get(b'A: \xc3\xa4\xff'), b'GET / HTTP/1.1', {'a': '\xc3\xa4\xff'}, b''),
    ('9110 5.1', 'name of all characters', get(b"!#$%&'*+-.^_`|~9aZ: b"), b'GET / HTTP/1.1', {"!#$%&'*+-.^_`|~9az": 'b'}, b''),
    ('9110 5.4', 'large field', get(b'A: ' + b'b' * 30000), b'GET / HTTP/1.1', {'a': 'b' * 30000}, b''),
    ('9110 5.4', 'many fields', get(*[b'A%d: b' % i for i in range(98)]), b'GET / HTTP/1.1', {'a97': 'b'}, b''),
    ('9112 6.3', 'GET with a body', post(b'Content-Length: 3', body=b'abc', line=b'GET / HTTP/1.1'), b'GET / HTTP/1.1', {'content-length': '3'}, b'abc'),
    ('9112 6.3', 'body that looks like a request', post(b'Content-Length: 35', body=b'GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n'), b'POST / HTTP/1.1', {},
     b'GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n'),
    ('9110 8.6', 'length zero', post(b'Content-Length: 0'), b'POST / HTTP/1.1', {'content-length': '0'}, b''),
    ('9112 6.1', 'chunked in upper case', post(b'Transfer-Encoding: CHUNKED', body=b'3\r\nabc\r\n0\r\n\r\n'), b'POST / HTTP/1.1', {'transfer-encoding': 'chunked', 'content-length': None}, b'abc'),
    ('9112 6.1', 'chunked between blanks', post(b'Transfer-Encoding: \t chunked ', body=b'3\r\nabc\r\n0\r\n\r\n'), b'POST / HTTP/1.1', {'transfer-encoding': 'chunked'}, b'abc'),
    ('9112 7.1', 'size in both cases', chunked(b'A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n'), b'POST / HTTP/1.1', {}, b'0123456789' * 2),
    ('9112 7.1', 'leading zeros', chunked(b'003\r\nabc\r\n000\r\n\r\n'), b'POST / HTTP/1.1', {}, b'abc'),
    ('9112 7.1', 'no data', chunked(b'0\r\n\r\n'), b'POST / HTTP/1.1', {}, b''),
    ('9112 7.1', 'CRLF as data', chunked(b'2\r\n\r\n\r\n0\r\n\r\n'), b'POST / HTTP/1.1', {}, b'\r\n'),
    ('9112 7.1.1', 'extensions are dropped', chunked(b'3;a=b;c="d e"\r\nabc\r\n0;x\r\n\r\n'), b'POST / HTTP/1.1', {}, b'abc'),
    ('9112 7.1.2', 'trailers are dropped', chunked(b'3\r\nabc\r\n0\r\nContent-Length: 9\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n', b'Trailer: X'), b'POST / HTTP/1.1',
     {'trailer': None, 'content-length': None, 'x-forwarded-for': '127.0.0.1'}, b'abc'),
    ('9110 7.6.1', 'fields named by Connection', get(b'Connection: A, close', b'A: 1', b'B: 2'), b'GET / HTTP/1.1', {'a': None, 'b': '2', 'connection': None}, b''),
    ('9110 7.6.1', 'Connection in several lines', get(b'Connection: A', b'Connection: B', b'A: 1', b'B: 2'), b'GET / HTTP/1.1', {'a': None, 'b': None}, b''),
    ('9110 7.6.1', 'nobody drops Host', get(b'Connection: Host'), b'GET / HTTP/1.1', {'host': 'app.test'}, b''),
    ('9110 7.6.1', 'nobody drops the length', post(b'Connection: Content-Length', b'Content-Length: 3', body=b'abc'), b'POST / HTTP/1.1', {'content-length': '3'}, b'abc'),
    ('9110 7.6.1', 'nobody drops the coding', chunked(b'3\r\nabc\r\n0\r\n\r\n', b'Connection: Transfer-Encoding'), b'POST / HTTP/1.1', {'transfer-encoding': 'chunked'}, b'abc'),
    ('9110 7.6.1', "nobody drops the router's own", get(b'Connection: X-Forwarded-For, X-Request-Id, X-Forwarded-Proto'), b'GET / HTTP/1.1',
     {'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http'}, b''),
    ('9110 7.6.1', 'odd elements of Connection', get(b'Connection: ,,  ,A,', b'A: 1'), b'GET / HTTP/1.1', {'a': None}, b''),
    ('9110 7.6.1', 'Keep-Alive, TE, Proxy-Connection', get(b'Keep-Alive: timeout=9', b'TE: trailers', b'Proxy-Connection: keep-alive'), b'GET / HTTP/1.1',
     {'keep-alive': None, 'te': None, 'proxy-connection': None}, b''),
    ('9110 7.8', 'h2c is not passed on', get(b'Connection: Upgrade, HTTP2-Settings', b'Upgrade: h2c', b'HTTP2-Settings: AAMAAABk'), b'GET / HTTP/1.1',
     {'upgrade': None, 'connection': None, 'http2-settings': None}, b''),
    ('9110 7.8', 'h2c among others', get(b'Connection: Upgrade', b'Upgrade: websocket, h2c'), b'GET / HTTP/1.1', {'upgrade': None}, b''),
    ('9110 7.8', 'upgrade without Connection', get(b'Upgrade: websocket'), b'GET / HTTP/1.1', {'upgrade': None}, b''),
    ('9110 7.8', 'upgrade with a body', post(b'Connection: Upgrade', b'Upgrade: websocket', b'Content-Length: 3', body=b'abc'), b'POST / HTTP/1.1', {'upgrade': None}, b'abc'),
    ('edge', 'claims of a client', get(b'X-Forwarded-For: 6.6.6.6', b'X_Forwarded_For: 6.6.6.6', b'Forwarded: for=6.6.6.6', b'X-Real-IP: 6.6.6.6', b'X-Forwarded-Host: evil',
                                       b'X-Forwarded-Anything: 1', b'Proxy: http://evil'), b'GET / HTTP/1.1',
     {'x-forwarded-for': '127.0.0.1', 'x_forwarded_for': None, 'forwarded': None, 'x-real-ip': None, 'x-forwarded-host': None, 'x-forwarded-anything': None, 'proxy': None}, b''),
    ('9110 10.1.1', '100-continue with its body at once', post(b'Expect: 100-continue', b'Content-Length: 3', body=b'abc'), b'POST / HTTP/1.1', {'expect': '100-continue'}, b'abc'),
    ('9110 10.1.1', 'another expectation', post(b'Expect: 200-ok', b'Content-Length: 0'), b'POST / HTTP/1.1', {'expect': None}, b''),
    ('9110 10.1.1', '100-continue without a body', get(b'Expect: 100-continue'), b'GET / HTTP/1.1', {}, b''),
]


OK = b'HTTP/1.1 200 OK\r\n'
CHUNKS = OK + b'Transfer-Encoding: chunked\r\n\r\n'

# Answers of units that must not reach a client: (name, bytes, what the log says). 502, and no byte of it.
BAD_ANSWERS = [
    ('nothing', b'', 'H13'),
    ('another protocol', b'220 mail.example.com ESMTP\r\n\r\n', 'H17'),
    ('HTTP/0.9', b'<html>hello</html>', 'H17'),
    ('HTTP/2', b'HTTP/2 200\r\n\r\n', 'H17'),
    ('HTTP/1.2', b'HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('lower case', b'http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('status of two digits', b'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('status of four digits', b'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('status of letters', b'HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('status 099', b'HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('status 600', b'HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('status with a sign', b'HTTP/1.1 -20 OK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('two spaces', b'HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('NUL in the reason', b'HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('CR in the reason', b'HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('bare LF', b'HTTP/1.1 200 OK\nContent-Length: 0\n\n', 'H17'),
    ('folded field', OK + b'A: b\r\n c\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('space before a colon', OK + b'Content-Length : 3\r\n\r\nabc', 'H17'),
    ('NUL in a value', OK + b'A: \0\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('CR in a value', OK + b'A: b\rSet-Cookie: c\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('no colon', OK + b'A\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('empty name', OK + b': a\r\nContent-Length: 0\r\n\r\n', 'H17'),
    ('two lengths', OK + b'Content-Length: 1\r\nContent-Length: 2\r\n\r\nab', 'H17'),
    ('list of lengths', OK + b'Content-Length: 1, 2\r\n\r\nab', 'H17'),
    ('minus', OK + b'Content-Length: -1\r\n\r\n', 'H17'),
    ('more than 64 bits', OK + b'Content-Length: 99999999999999999999\r\n\r\n', 'H17'),
    ('length and coding', OK + b'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'H17'),
    ('coding that is not known', OK + b'Transfer-Encoding: gzip\r\n\r\nabc', 'H17'),
    ('chunked not last', OK + b'Transfer-Encoding: chunked, gzip\r\n\r\nabc', 'H17'),
    ('coding in HTTP/1.0', b'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'H17'),
    ('half a head', OK + b'Content-Le', 'H13'),
    ('huge field', OK + b'A: ' + b'b' * 70000 + b'\r\n\r\n', 'H17'),
    ('huge name', OK + b'A' * 70000, 'H17'),
    ('many fields', OK + b'A: b\r\n' * 5000 + b'\r\n', 'H17'),
    ('endless fields', OK + b'A: b\r\n' * 20000, 'H17'),
    ('101 unasked', b'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', 'H17'),
    ('1xx that ends', b'HTTP/1.1 103 Early Hints\r\n\r\n', 'H13'),
    ('1xx with a body', b'HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\nabc' + OK + b'Content-Length: 0\r\n\r\n', 'H17'),
    ('1xx without end', b'HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n' * 100, 'H17'),
]

# Answers that break off, which the client must be able to see: (name, bytes).
CUT_ANSWERS = [
    ('less than said', OK + b'Content-Length: 10\r\n\r\nabc'),
    ('nothing of what was said', OK + b'Content-Length: 10\r\n\r\n'),
    ('no last chunk', CHUNKS + b'3\r\nabc\r\n'),
    ('half a chunk', CHUNKS + b'a\r\nabc'),
    ('half a size', CHUNKS + b'3\r\nabc\r\n1'),
    ('no end behind the last chunk', CHUNKS + b'3\r\nabc\r\n0\r\n'),
    ('size of letters', CHUNKS + b'3\r\nabc\r\nxyz\r\n'),
    ('minus', CHUNKS + b'-1\r\n'),
    ('size of more than 64 bits', CHUNKS + b'fffffffffffffffff\r\na'),
    ('bare LF', CHUNKS + b'3\nabc\n0\n\n'),
    ('more data than said', CHUNKS + b'3\r\nabcdef\r\n0\r\n\r\n'),
    ('endless extension', CHUNKS + b'3;' + b'a' * 70000 + b'\r\nabc\r\n0\r\n\r\n'),
    ('endless trailers', CHUNKS + b'0\r\n' + b'A: b\r\n' * 5000 + b'\r\n'),
]

# Answers that are odd, and pass: (name, method, bytes, status, body, fields that the client must get).
ODD_ANSWERS = [
    ('to the end', 'GET', OK + b'\r\nabc', 200, b'abc', {'transfer-encoding': 'chunked'}),
    ('HTTP/1.0 to the end', 'GET', b'HTTP/1.0 200 OK\r\n\r\nabc', 200, b'abc', {}),
    ('no reason', 'GET', b'HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nabc', 200, b'abc', {}),
    ('status 599', 'GET', b'HTTP/1.1 599 X\r\nContent-Length: 3\r\n\r\nabc', 599, b'abc', {}),
    ('bytes above ASCII', 'GET', b'HTTP/1.1 200 Gr\xfc\xdfe\r\nA: \xe4\r\nContent-Length: 3\r\n\r\nabc', 200, b'abc', {'a': '\xe4'}),
    ('HEAD with a body', 'HEAD', OK + b'Content-Length: 3\r\n\r\nabc', 200, b'', {'content-length': '3'}),
    ('204 with a length', 'GET', b'HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc', 204, b'', {'content-length': None}),
    ('204 with chunks', 'GET', b'HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n', 204, b'', {'transfer-encoding': None}),
    ('304 with a body', 'GET', b'HTTP/1.1 304 Not\r\nContent-Length: 3\r\n\r\nabc', 304, b'', {}),
    ('more than said', 'GET', OK + b'Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil', 200, b'abc', {}),
    ('more behind the chunks', 'GET', CHUNKS + b'3\r\nabc\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil', 200, b'abc', {}),
    ('some 1xx before', 'GET', b'HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n' * 3 + OK + b'Content-Length: 3\r\n\r\nabc', 200, b'abc', {'a': None}),
    ('100 unasked', 'GET', b'HTTP/1.1 100 Continue\r\n\r\n' + OK + b'Content-Length: 3\r\n\r\nabc', 200, b'abc', {}),
    ('fields of its connection', 'GET', OK + b'Connection: A, close\r\nA: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nContent-Length: 3\r\n\r\nabc', 200, b'abc',
     {'a': None, 'keep-alive': None, 'proxy-connection': None, 'connection': None}),
    ('trailers', 'GET', CHUNKS + b'3\r\nabc\r\n0\r\nSet-Cookie: a\r\n\r\n', 200, b'abc', {'set-cookie': None}),
]


class Unit(rig.Origin):
    raw = b''

    def answer_raw(self, c, f, method, path, fields, body):
        c.sendall(self.raw)
        return False


class Slow(unittest.TestCase):
    def test_a_unit_that_pauses_in_a_body(self):
        """For longer than a machine that is gone gets; clients of HTTP/1.1 and of HTTP/2, and a body that the kernel takes whole."""
        size, short, go_on = 8000000, 300000, threading.Event()
        unit = socket.create_server(('127.0.0.1', 0))

        def serve(c):
            with c, c.makefile('rb') as f:
                length = 0
                while (line := f.readline()) != b'\r\n':
                    length = int(line.split(b':')[1]) if line.lower().startswith(b'content-length:') else length
                go_on.wait(rig.DEADLINE)
                c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nread' if len(f.read(length)) == length else b'')

        def accept():
            for _ in range(3):
                threading.Thread(target=serve, args=(unit.accept()[0],), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        router = rig.Static([('slow.test', unit.getsockname()[1])], '--h2c').start()
        self.addCleanup(router.clear)
        self.addCleanup(unit.close)
        plain, brief, other = rig.Client(router.http), rig.Client(router.http), h2.plain(router.http, 'slow.test')
        for c in (plain, brief, other):
            self.addCleanup(c.close)
        sid = other.open(method='POST', content_length=str(size), end=False)

        def quietly(send, *args):
            try:
                send(*args)
            except (OSError, EOFError, h2.Gone):
                pass  # the answer tells

        def post(size):
            return b'POST / HTTP/1.1\r\nHost: slow.test\r\nContent-Length: %d\r\n\r\n' % size + bytes(size)
        senders = [threading.Thread(target=quietly, args=args)
                   for args in ((plain.send, post(size)), (brief.send, post(short)), (other.upload, sid, bytes(size)))]
        for t in senders:
            t.start()
        early, _, _ = select.select([plain.s, brief.s], [], [], 23)  # the kernel's 20 s for what is not acknowledged
        go_on.set()
        for t in senders:
            t.join()
        self.assertEqual(early, [])
        self.assertEqual((plain.answer()[2], brief.answer()[2], other.answer(sid).body), (b'read', b'read', b'read'))


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.origin = Unit()
        cls.router = rig.Static([(HOST.decode(), cls.origin.port)], '--body-size', '1m').start()

    @classmethod
    def tearDownClass(cls):
        cls.router.clear()
        cls.origin.close()

    def send(self, raw):
        c = rig.Client(self.router.http)
        self.addCleanup(c.close)

        def quietly():
            try:
                c.send(raw)
            except OSError:
                pass  # it may hang up in the middle
        threading.Thread(target=quietly, daemon=True).start()
        return c

    def test_refused(self):
        for section, name, raw, status in REFUSED:
            with self.subTest('%s %s' % (section, name)):
                seen = len(self.origin.requests)
                # What would come next on a connection that two parsers read differently.
                c = self.send(raw + get(line=b'GET /smuggled HTTP/1.1'))
                got, fields, body = c.answer()
                self.assertEqual((got, fields.get('connection')), (status, 'close'))
                self.assertEqual(c.rest(), b'')
                self.assertEqual(self.origin.requests[seen:], [])

    def test_refused_in_pieces(self):
        """The verdict doesn't depend on how the bytes arrive."""
        for section, name, raw, status in REFUSED:
            if len(raw) > 300:
                continue
            with self.subTest('%s %s' % (section, name)):
                c = rig.Client(self.router.http)
                try:
                    for i in range(0, len(raw), 3):
                        c.send(raw[i:i + 3])
                except OSError:
                    pass
                try:
                    self.assertEqual(c.answer()[0], status)
                except (ConnectionResetError, EOFError):
                    pass  # bytes that came after the verdict took its answer with them
                c.close()

    def test_passed(self):
        for section, name, raw, line, fields, body in PASSED:
            with self.subTest('%s %s' % (section, name)):
                seen = len(self.origin.requests)
                closes = b'close' in raw or b'HTTP/1.0' in raw
                c = self.send(raw if closes else raw + get(line=b'GET /next HTTP/1.1'))
                status = c.answer()[0]
                if status == 100:
                    status = c.answer()[0]
                self.assertEqual(status, 200)
                if not closes:
                    self.assertEqual(c.answer()[0], 200)
                got = self.origin.requests[seen:]
                self.assertEqual([r[0] for r in got], [line.decode('latin-1')] + ([] if closes else ['GET /next HTTP/1.1']))
                told = dict((n.lower(), v) for n, v in got[0][1])
                for name, value in fields.items():
                    self.assertEqual(told.get(name), value, name)
                self.assertEqual(got[0][2], body)

    def ask(self, name, raw, method='GET'):
        """The client behind its request to a unit that answers so; its request id."""
        rid = name.replace(' ', '-').replace('/', '-') + '-' + method
        self.origin.raw = raw
        c = rig.Client(self.router.http)
        self.addCleanup(c.close)
        c.send(get(b'X-Request-Id: ' + rid.encode(), line=method.encode() + b' /raw HTTP/1.1'))
        return c, rid

    def the_next_is_well(self):
        """Nothing of it is left for somebody else."""
        for _ in range(2):
            self.assertEqual(rig.get(self.router.http, HOST.decode())[2], b'origin')

    def test_bad_answers(self):
        for name, raw, code in BAD_ANSWERS:
            for method in ('GET', 'POST'):
                with self.subTest('%s, %s' % (name, method)):
                    c, rid = self.ask('bad ' + name, raw, method)
                    while True:
                        status, fields, body = c.answer()
                        if status >= 200:
                            break
                    self.assertEqual(status, 502)
                    self.assertIn(code.encode(), body)
                    self.assertIn('code=%s ' % code, self.router.lines('request_id=%s ' % rid)[0])
                    self.the_next_is_well()

    def test_cut_answers(self):
        for name, raw in CUT_ANSWERS:
            with self.subTest(name):
                c, rid = self.ask('cut ' + name, raw)
                with self.assertRaises((EOFError, ConnectionResetError)):
                    c.answer()
                self.assertIn('code=H18 ', self.router.lines('request_id=%s ' % rid)[0])
                self.the_next_is_well()

    def test_odd_answers(self):
        for name, method, raw, status, body, fields in ODD_ANSWERS:
            with self.subTest(name):
                c, rid = self.ask('odd ' + name, raw, method)
                c.send(get(line=b'GET /next HTTP/1.1'))
                while True:
                    got, told, data = c.answer(head_only=method == 'HEAD')
                    if got >= 200:
                        break
                self.assertEqual((got, data), (status, body))
                for n, value in fields.items():
                    self.assertEqual(told.get(n), value, n)
                if told.get('connection') != 'close':
                    self.assertEqual(c.answer()[2], b'origin')
                self.the_next_is_well()

    def test_trace(self):
        """RFC 9110 section 9.3.8: it would show an attacker what the router adds."""
        seen = len(self.origin.requests)
        c = self.send(get(line=b'TRACE / HTTP/1.1') + get(line=b'GET /next HTTP/1.1'))
        status, fields, body = c.answer()
        self.assertEqual((status, 'TRACE' in fields['allow']), (405, False))
        self.assertEqual(c.answer()[0], 200)
        self.assertEqual([r[0] for r in self.origin.requests[seen:]], ['GET /next HTTP/1.1'])

    def test_there_are_enough(self):
        self.assertGreaterEqual(len(REFUSED) + len(PASSED), 200)
        names = [(s, n, len(raw)) for s, n, raw, *_ in REFUSED + PASSED]
        self.assertEqual(len(names), len(set(names)))


if __name__ == '__main__':
    unittest.main(verbosity=2)
