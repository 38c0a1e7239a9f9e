# SPDX-License-Identifier: MIT
"""A platform for one-off commands: etcd, logger, agent, controller and router as programs, the real Docker Engine,
and people at terminals (ptys). All that it makes carries a machine id and a network of this process."""
import fcntl
import io
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import termios
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'router'))
import rig  # noqa: E402

BIN = rig.BIN
APP = 'shop'
APPLETS = 'sh stty cat sleep env head wc sha256sum kill id tty yes httpd'.split()


class Program:
    def __init__(self, folder, name, *flags):
        self.name, self.flags, self.log, self.p = name, flags, os.path.join(folder, name + '.log'), None

    def start(self):
        with open(self.log, 'ab') as f:
            self.p = rig.spawn([os.path.join(BIN, 'deis-' + self.name), *self.flags], stdout=f, stderr=f)

    def kill(self):
        self.p.kill()
        self.p.wait()

    def stop(self):
        """SIGTERM; its exit status."""
        self.p.terminate()
        return self.p.wait(30)

    def said(self):
        with open(self.log, errors='replace') as f:
            return f.read()


class Terminal:
    """deis on a pty: what is typed, what is shown, how it ended."""

    def __init__(self, platform, *words, rows=24, columns=80):
        self.shown = b''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(platform.person)
            os.execv(os.path.join(BIN, 'deis'), ['deis', *words])
        self.size(rows, columns)
        self.before = termios.tcgetattr(self.fd)

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, wait):
        """False at its end."""
        if not select.select([self.fd], [], [], wait)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.shown += data
        return bool(data)

    def expect(self, text, deadline=rig.DEADLINE):
        end = time.monotonic() + deadline
        while text.encode() not in self.shown:
            if time.monotonic() > end or not self.read(0.2):
                raise AssertionError('no %r in %r' % (text, self.shown[-2000:].decode(errors='replace')))
        at = self.shown.index(text.encode()) + len(text.encode())
        seen, self.shown = self.shown[:at], self.shown[at:]
        return seen.decode(errors='replace')

    def is_raw(self):
        return not termios.tcgetattr(self.fd)[3] & termios.ICANON

    def close(self):
        """It and its terminal are gone, whatever the test came to."""
        if self.fd >= 0:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)
            self.fd = -1

    def end(self, deadline=2 * rig.DEADLINE):
        """Its exit status, or minus the signal; the terminal is as it was."""
        end = time.monotonic() + deadline
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                raise AssertionError('does not end; it has shown %r' % self.shown[-2000:])
            self.read(0.05)
        put_back = termios.tcgetattr(self.fd) == self.before
        os.close(self.fd)
        self.fd = -1
        if not put_back:
            raise AssertionError('the terminal is not put back')
        return os.waitstatus_to_exitcode(status)


class Platform:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='deis-run.')
        self.machine = 'run-%d' % os.getpid()
        self.network = 'deis-run-%d' % os.getpid()
        self.image = 'deis-run-test-%d:v1' % os.getpid()
        self.etcd = rig.Etcd().start()
        self.key = os.path.join(self.dir, 'cluster.key')
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
            f.write(os.urandom(32).hex() + '\n')
        self.http, self.web = rig.free_port(), rig.free_port()
        self.etcd.put('config/platform/domain', 'localhost')
        self.etcd.put('config/platform/httpPort', str(self.web))
        common = ['--etcd', self.etcd.url, '--cluster-key', self.key]
        bus = lambda: 'tcp://127.0.0.1:%d' % rig.free_port()  # noqa: E731
        make = lambda name, *flags: Program(self.dir, name, *common, *flags)  # noqa: E731
        self.logger = make('logger', '--instance', 'one', '--bus', bus(), '--data', self.folder('logs'))
        self.agent = make('scheduler', '--bus', bus(), '--machine-id', self.machine, '--network', self.network,
                          '--components', self.machine, '--data-dir', self.folder('agent'))
        self.controller = make('controller', '--instance', 'one', '--bus', bus(), '--http', '127.0.0.1:%d' % self.http)
        self.router = make('router', '--instance', 'one', '--http', '127.0.0.1:%d' % self.web, '--ssh', '-', '--metrics',
                           '-', '--data', self.folder('router'))
        self.programs = [self.logger, self.agent, self.controller, self.router]
        self.person = {'HOME': self.folder('home'), 'TERM': 'xterm-256color'}
        self.tokens = {}

    def folder(self, name):
        path = os.path.join(self.dir, name)
        os.mkdir(path)
        return path

    def start(self):
        self.import_image()
        for p in self.programs:
            p.start()
        rig.wait_for(lambda: rig.can_connect(self.http), 'controller listens')
        for name in ('mira', 'eve'):
            self.send('POST', 'auth/register', None, {'username': name, 'password': 'x', 'email': name + '@x.test'})
            self.tokens[name] = self.send('POST', 'auth/login/', None, {'username': name, 'password': 'x'})[1]['token']
        self.send('POST', 'apps', 'mira', {'id': APP})
        self.send('POST', 'apps/%s/config' % APP, 'mira', {'values': {'GREETING': 'hej'}})
        rig.wait_for(lambda: self.etcd.get('machines/%s/presence' % self.machine), 'agent is there')
        status, answer = self.send('POST', 'apps/%s/builds' % APP, 'mira',
                                   {'image': self.image, 'procfile': {'worker': 'sleep 1000'}})
        if status != 201:
            raise AssertionError('%s %s' % (status, answer))
        self.write_profile()
        self.write_profile('eve', 'eve')
        rig.wait_for(lambda: self.deis('whoami', check=False).returncode == 0, 'API answers through the router')
        return self

    def write_profile(self, name='client', user='mira'):
        folder = os.path.join(self.person['HOME'], '.deis')
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name + '.json'), 'w') as f:
            json.dump({'username': user, 'ssl_verify': False, 'controller': 'http://deis.localhost:%d' % self.web,
                       'token': self.tokens[user], 'response_limit': 0}, f)

    def import_image(self):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode='w') as t:
            t.add('/bin/busybox', 'bin/busybox')
            for name in APPLETS:
                link = tarfile.TarInfo('bin/' + name)
                link.type, link.linkname = tarfile.SYMTYPE, 'busybox'
                t.addfile(link)
        subprocess.run(['docker', 'import', '--change', 'CMD exec httpd -f -p $PORT', '-', self.image], input=tar.getvalue(), check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        for p in self.programs:
            if p.p:
                p.kill()
        self.etcd.stop()
        for name in self.containers('deis.agent'):
            subprocess.run(['docker', 'rm', '-f', name], stdout=subprocess.DEVNULL)
        for args in (['network', 'rm', self.network], ['rmi', self.image]):
            subprocess.run(['docker', *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir)
        shutil.rmtree(self.etcd.dir)

    # --- what is asked of it ---

    def send(self, method, path, user, body=None):
        """(status, JSON)"""
        headers = {'Content-Type': 'application/json'}
        if user:
            headers['Authorization'] = 'token ' + self.tokens[user]
        request = urllib.request.Request('http://127.0.0.1:%d/v1/%s' % (self.http, path), method=method, headers=headers,
                                         data=json.dumps(body).encode() if body is not None else None)
        try:
            with urllib.request.urlopen(request, timeout=rig.DEADLINE) as r:
                text, status = r.read(), r.status
        except urllib.error.HTTPError as e:
            text, status = e.read(), e.code
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors='replace')

    def deis(self, *words, check=True, **how):
        how.setdefault('stdin', None if 'input' in how else subprocess.DEVNULL)
        if how['stdin'] is None:
            del how['stdin']
        how.setdefault('timeout', 3 * rig.DEADLINE)
        r = subprocess.run([os.path.join(BIN, 'deis'), *words], env={**os.environ, **self.person}, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, **how)
        if check and r.returncode != 0:
            raise AssertionError('deis %s: %d %r' % (' '.join(words), r.returncode, r.stderr))
        return r

    def containers(self, label='deis.run'):
        out = subprocess.run(['docker', 'ps', '-aq', '--filter', 'label=deis.agent=' + self.machine,
                              '--filter', 'label=' + label], stdout=subprocess.PIPE, check=True).stdout
        return out.decode().split()

    def wait_gone(self, deadline=60):
        rig.wait_for(lambda: not self.containers(), 'no container is left', deadline)

    def wait_down(self, deadline=60):
        """All records say that their command has ended."""
        rig.wait_for(lambda: all(r['state'] == 'down' for r in self.runs()), 'records are closed', deadline)

    def runs(self):
        return self.send('GET', 'apps/%s/containers/run?detail=true&page_size=1000' % APP, 'mira')[1]['results']
