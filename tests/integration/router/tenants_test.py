# SPDX-License-Identifier: MIT
"""What one tenant writes to etcd, within what the controller takes, costs no other his route, his name or his time."""
import base64
import itertools
import json
import os
import random
import unittest

import etcd_test
import rig
import tls_test

PAGES = ['page.403', 'page.413', 'page.429', 'page.502', 'page.503', 'page.504', 'page.maintenance']


def tlv(tag, body):
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, 'big')
    return bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else bytes([0x80 | len(size)]) + size) + body


def integer(n):
    return tlv(2, n.to_bytes(n.bit_length() // 8 + 1, 'big'))


def pem(label, der):
    text = base64.b64encode(der).decode()
    return '-----BEGIN %s-----\n%s\n-----END %s-----\n' % (label, '\n'.join(text[i:i + 64] for i in range(0, len(text), 64)), label)


def giant(name, bits):
    """A certificate and a key of RSA with so many bits: random ones, nobody looks before a signature is made, which takes minutes."""
    rng = random.Random(1)
    odd = lambda b: rng.getrandbits(b) | 1 | 1 << (b - 1) | 1 << (b - 2)
    n, e, d, p = odd(bits), 65537, odd(bits), odd(512)
    oid = lambda text: tlv(6, bytes.fromhex(text))
    sha256 = tlv(0x30, oid('2a864886f70d01010b') + b'\x05\x00')
    subject = tlv(0x30, tlv(0x31, tlv(0x30, oid('550403') + tlv(0x0c, name.encode()))))
    dates = tlv(0x30, tlv(0x17, b'250101000000Z') + tlv(0x17, b'450101000000Z'))
    public = tlv(0x30, tlv(0x30, oid('2a864886f70d010101') + b'\x05\x00') + tlv(3, b'\x00' + tlv(0x30, integer(n) + integer(e))))
    body = tlv(0x30, tlv(0xa0, integer(2)) + integer(1) + sha256 + subject + dates + subject + public)
    return (pem('CERTIFICATE', tlv(0x30, body + sha256 + tlv(3, b'\x00' + bytes(256)))),
            pem('RSA PRIVATE KEY', tlv(0x30, b''.join(map(integer, (0, n, e, d, p, p + 2, p, p, p))))))


class Certificates(tls_test.Https):
    setUp, cert, seal, served, wait_served = (getattr(tls_test.Etcd, name) for name in ('setUp', 'cert', 'seal', 'served', 'wait_served'))

    def use_other(self):
        """Until one that is written now is served."""
        self.cert('shop.test', self.ca.issue('shop.test'))
        self.wait_served('shop.test', self.ca.count)

    def test_a_key_that_takes_for_ever(self):
        for bits in (5000, 100000):
            name = '%d.test' % bits
            certificate, key = giant(name, bits)
            self.etcd.put('certs/' + name, {'common_name': name, 'certificate': certificate, 'key': self.seal('cert/' + name, key)})
            self.use_other()
            self.assertIsNone(self.served(name))
            self.assertRegex(self.router.log(), 'can.t be used.*name=' + name)

    def test_a_name_in_other_letters_takes_no_name(self):
        own, other = self.ca.issue('www.blog.test'), self.ca.issue('www.blog.test')
        for letters in itertools.product('wW', repeat=3):
            if letters != ('w', 'w', 'w'):
                self.cert(''.join(letters) + '.blog.test', other)
        self.wait_served('www.blog.test', tls_test.which_number(other))
        self.cert('www.blog.test', own)
        self.use_other()
        self.assertEqual(self.served('www.blog.test'), tls_test.which_number(own))

    def test_a_dot_behind_makes_no_other_name(self):
        self.cert('www.blog.test.', self.ca.issue('www.blog.test'))
        self.use_other()
        self.assertIsNone(self.served('www.blog.test'))


class Routes(unittest.TestCase):
    def setUp(self):
        self.world = w = etcd_test.World()
        self.addCleanup(w.clear)
        self.etcd, self.router = w.etcd, w.router
        self.blog, self.other = rig.Origin('blog'), rig.Origin('other')
        self.addCleanup(self.blog.close)
        self.addCleanup(self.other.close)
        w.app('blog')
        self.etcd.put('domains/www.blog.test', {'app': 'blog'})
        w.run('blog_v1.web.1-aaaa', self.blog)
        w.wait_status('www.blog.test', 200)
        w.app('other')
        w.run('other_v1.web.1-aaaa', self.other)
        w.wait_status('other.example.com', 200)

    def is_saved(self, text):
        return text in etcd_test.text_of(os.path.join(self.router.dir, 'routes'))

    def starts_without_etcd(self):
        self.assertEqual(self.router.stop(), 0)
        self.etcd.stop()
        self.router.start()
        self.assertEqual(self.world.get('www.blog.test')[::2], (200, b'blog'))

    def document(self, size):
        """Of just so many bytes, as a tenant may write."""
        doc = {'settings': {page: '\x01' * 6000 for page in PAGES}}
        text = lambda: json.dumps(doc, separators=(',', ':'))
        left = size - len(text())
        doc['settings'][PAGES[0]] += '\x01' * (left // 6) + 'a' * (left % 6)
        self.assertEqual(len(text()), size)
        return text()

    def test_an_odd_name_takes_no_route(self):
        for name in ('a..xip.io', 'www.blog.test.', 'www.blog.test:80'):
            self.etcd.put('domains/' + name, {'app': 'other'})
        self.world.app('late')
        self.world.wait_status('late.example.com', 503)
        self.assertEqual(self.world.get('www.blog.test')[2], b'blog')
        self.etcd.delete('domains/www.blog.test.')
        self.world.app('later')
        self.world.wait_status('later.example.com', 503)
        self.assertEqual(self.world.get('www.blog.test')[2], b'blog')
        rig.wait_for(lambda: self.is_saved('later'), 'table is on disk')
        self.starts_without_etcd()

    def test_a_document_as_long_as_may_be(self):
        self.etcd.put('config/router/maxRequests', '1000')  # which is kept with it
        self.etcd.put('routing/other', self.document(262144))
        rig.wait_for(lambda: self.is_saved('page.403'), 'it is on disk')
        self.assertNotIn('document ignored', self.router.log())
        self.starts_without_etcd()

    def test_as_many_long_documents_as_fit_on_no_disk(self):
        text = self.document(262144)
        for i in range(270):
            self.world.app('many%d' % i)
            self.etcd.put('routing/many%d' % i, text)
        self.world.app('late')
        self.world.wait_status('late.example.com', 503)
        rig.wait_for(lambda: self.is_saved('app late'), 'table is on disk')
        self.starts_without_etcd()


if __name__ == '__main__':
    unittest.main(verbosity=2)
