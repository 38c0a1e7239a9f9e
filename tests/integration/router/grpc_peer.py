# SPDX-License-Identifier: MIT
"""A gRPC server and a client that calls it, on Debian's python3-grpcio: `server`, or `client PORT CA AUTHORITY`."""
import sys
import time
from concurrent import futures

import grpc

PIECE, PIECES = b'x' * 60000, 100


def raw(data):
    return data


def unary(request, context):
    context.set_trailing_metadata((('x-trailer', '1'),))
    return b'hello ' + request


def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, 'no such thing')


class Service(grpc.GenericRpcHandler):
    def service(self, details):
        return {
            '/t.T/Unary': grpc.unary_unary_rpc_method_handler(unary, raw, raw),
            '/t.T/Fail': grpc.unary_unary_rpc_method_handler(fail, raw, raw),
            '/t.T/Chat': grpc.stream_stream_rpc_method_handler(lambda said, c: (b're: ' + m for m in said), raw, raw),
            '/t.T/Down': grpc.unary_stream_rpc_method_handler(lambda r, c: (PIECE for _ in range(PIECES)), raw, raw),
            '/t.T/Up': grpc.stream_unary_rpc_method_handler(lambda said, c: b'%d' % sum(map(len, said)), raw, raw),
        }.get(details.method)


def server():
    s = grpc.server(futures.ThreadPoolExecutor(8))
    s.add_generic_rpc_handlers((Service(),))
    print(s.add_insecure_port('127.0.0.1:0'), flush=True)
    s.start()
    s.wait_for_termination()


def failure(call):
    try:
        call()
    except grpc.RpcError as e:
        return e.code(), e.details()
    raise AssertionError('it went well')


def chat(channel):
    heard = []

    def say():
        for i in range(5):
            yield b'%d' % i
            while len(heard) <= i:  # an answer before the next word
                time.sleep(0.005)
    for m in channel.stream_stream('/t.T/Chat', raw, raw)(say(), timeout=60):
        heard.append(m)
    return heard


def client(port, ca, authority):
    with open(ca, 'rb') as f:
        credentials = grpc.ssl_channel_credentials(f.read())
    channel = grpc.secure_channel('127.0.0.1:' + port, credentials, (('grpc.ssl_target_name_override', authority),
                                                                     ('grpc.default_authority', authority)))
    call = channel.unary_unary('/t.T/Unary', raw, raw)
    answer, about = call.with_call(b'you', timeout=60)
    assert (answer, about.code()) == (b'hello you', grpc.StatusCode.OK)
    assert dict(about.trailing_metadata())['x-trailer'] == '1'
    assert failure(lambda: channel.unary_unary('/t.T/Fail', raw, raw)(b'', timeout=60)) == \
        (grpc.StatusCode.NOT_FOUND, 'no such thing')
    assert failure(lambda: channel.unary_unary('/t.T/Missing', raw, raw)(b'', timeout=60))[0] == grpc.StatusCode.UNIMPLEMENTED
    assert chat(channel) == [b're: %d' % i for i in range(5)]
    assert sum(map(len, channel.unary_stream('/t.T/Down', raw, raw)(b'', timeout=60))) == len(PIECE) * PIECES
    up = channel.stream_unary('/t.T/Up', raw, raw)((PIECE for _ in range(PIECES)), timeout=60)
    assert up == b'%d' % (len(PIECE) * PIECES)
    calls = [call.future(b'%d' % i, timeout=60) for i in range(200)]
    assert [c.result() for c in calls] == [b'hello %d' % i for i in range(200)]
    print('all calls went well')


if __name__ == '__main__':
    server() if sys.argv[1] == 'server' else client(*sys.argv[2:])
