# SPDX-License-Identifier: MIT
"""deis run: on a terminal, with a pipe, detached, and when one of the parts between is killed."""
import hashlib
import os
import signal
import subprocess
import time
import unittest

import platform_rig
from platform_rig import APP, BIN, Platform, Terminal, rig

MB = 1 << 20


platform = None


def setUpModule():
    global platform
    platform = Platform()
    try:
        platform.start()
    except BaseException:
        for p in platform.programs:
            print(p.name, p.said()[-3000:] if p.p else '')
        platform.stop()
        raise


def tearDownModule():
    for p in platform.programs:
        if p.p.poll() is not None:
            print('%s has ended with %s: %s' % (p.name, p.p.poll(), p.said()[-4000:]))
    platform.stop()


class RunCase(unittest.TestCase):
    def setUp(self):
        self.p = platform

    def terminal(self, *words, **how):
        t = Terminal(self.p, 'run', '-a', APP, *words, **how)
        self.addCleanup(t.close)
        return t

    def shell(self):
        t = self.terminal('sh', rows=31, columns=97)
        t.expect("Running 'sh'...")
        t.expect('# ')
        self.assertTrue(t.is_raw())
        return t

    def piped(self, *words, **how):
        return subprocess.Popen([os.path.join(BIN, 'deis'), 'run', '-a', APP, *words], env={**os.environ, **self.p.person},
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)


class OnATerminal(RunCase):
    def test_shell(self):
        t = self.shell()
        t.type('stty size; echo $TERM $GREETING $DEIS_APP\r')
        t.expect('31 97')
        t.expect('xterm-256color hej shop')
        t.size(50, 132)
        t.type('until [ "$(stty size)" = "50 132" ]; do :; done; echo resized\r')
        t.expect('\r\nresized')
        t.type('sh -c "echo began; exec sleep 1000"\r')
        t.expect('\r\nbegan')
        t.type('\x03')
        t.expect('^C')
        t.expect('# ')
        t.type('echo "still here"\r')
        t.expect('\r\nstill here')
        t.type('exit 7\r')
        self.assertEqual(t.end(), 7)
        self.p.wait_gone()
        self.assertEqual(self.p.runs()[-1]['exit']['code'], 7)

    def test_size_is_there_at_once(self):
        for _ in range(3):
            t = self.terminal('stty size', rows=11, columns=222)
            t.expect('11 222')
            self.assertEqual(t.end(), 0)

    def test_quit_key(self):
        t = self.terminal("trap 'echo told; exit 3' QUIT; echo up; while :; do sleep 1; done")
        t.expect('\r\nup')
        t.type('\x1c')
        t.expect('told')
        self.assertEqual(t.end(), 3)

    def test_end_of_input(self):
        t = self.shell()
        t.type('\x04')
        self.assertEqual(t.end(), 0)

    def test_interrupt_from_outside_is_passed_on(self):
        t = self.terminal("trap 'echo told; exit 3' INT; echo up; while :; do sleep 1; done")
        t.expect('\r\nup')
        os.kill(t.pid, signal.SIGINT)
        t.expect('told')
        self.assertEqual(t.end(), 3)

    def test_lost_client_ends_the_command(self):
        for sig, ended in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)):
            t = self.shell()
            os.kill(t.pid, sig)
            self.assertEqual(t.end(), ended)
            self.p.wait_gone()
        t = self.shell()
        os.kill(t.pid, signal.SIGKILL)
        t.close()
        self.p.wait_gone()
        self.p.wait_down()

    def test_stranger_is_refused(self):
        self.p.person['DEIS_PROFILE'] = 'eve'
        try:
            t = self.terminal('id')
            t.expect('403 FORBIDDEN')
            self.assertEqual(t.end(), 1)
        finally:
            del self.p.person['DEIS_PROFILE']

    def test_ends_with_the_right_to_run_it(self):
        perms = 'apps/%s/perms' % APP
        self.assertEqual(self.p.send('POST', perms, 'mira', {'username': 'eve'})[0], 201)
        owner = self.shell()
        self.p.person['DEIS_PROFILE'] = 'eve'
        try:
            t = self.shell()
        finally:
            del self.p.person['DEIS_PROFILE']
        self.assertEqual(self.p.send('DELETE', perms + '/eve', 'mira')[0], 204)
        t.expect('you may no longer run commands of this app')
        self.assertEqual(t.end(), 255)
        rig.wait_for(lambda: len(self.p.containers()) == 1, "the owner's container is left alone", 60)
        owner.type('exit 7\r')
        self.assertEqual(owner.end(), 7)
        self.p.wait_gone()
        self.p.wait_down()


class WithAPipe(RunCase):
    def test_ten_megabytes_there_and_back(self):
        data = os.urandom(MB) * 10
        r = self.p.deis('run', '-a', APP, 'cat', input=data)
        self.assertEqual(hashlib.sha256(r.stdout).hexdigest(), hashlib.sha256(data).hexdigest())
        self.assertEqual(r.stderr.decode(), "Running 'cat'...\n")
        r = self.p.deis('run', '-a', APP, 'sha256sum', input=data)
        self.assertEqual(r.stdout.decode().split()[0], hashlib.sha256(data).hexdigest())

    def test_streams_apart_and_status(self):
        r = self.p.deis('run', '-a', APP, '--', 'cat; echo wrong >&2; exit 9', input=b'right\n', check=False)
        self.assertEqual((r.returncode, r.stdout), (9, b'right\n'))
        self.assertTrue(r.stderr.endswith(b'wrong\n'), r.stderr)

    def test_command_that_reads_nothing(self):
        r = self.p.deis('run', '-a', APP, 'echo done', input=b'x' * (3 * MB))
        self.assertEqual(r.stdout, b'done\n')

    def test_reader_that_stops(self):
        client = self.piped('--no-tty', 'yes')
        client.stdout.read(5 * MB)
        client.stdout.close()
        self.assertEqual(client.wait(rig.DEADLINE), -signal.SIGPIPE)
        client.stdin.close()
        client.stderr.close()
        self.p.wait_gone()

    def test_reader_that_waits_holds_up_the_command(self):
        client = self.piped('--no-tty', 'yes')
        try:
            client.stdout.read(MB)
            pids = [self.p.controller.p.pid, self.p.agent.p.pid, self.p.router.p.pid, client.pid]
            # what is on its way has arrived when nothing grows any more; unbounded it would go on
            def still():
                before = [rss(pid) for pid in pids]
                time.sleep(1)
                return all(rss(pid) - was < MB for pid, was in zip(pids, before))
            rig.wait_for(still, 'nothing grows while nobody reads')
        finally:
            client.kill()
            client.communicate()
        self.p.wait_gone()

    def test_interrupt_goes_to_the_command(self):
        client = self.piped('--no-tty', "trap 'echo told; exit 5' INT; echo up; while :; do sleep 1; done")
        self.assertEqual(client.stdout.readline(), b'up\n')
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.stdout.readline(), b'told\n')
        self.assertEqual(client.wait(rig.DEADLINE), 5)
        client.communicate()

    def test_without_input_all_is_as_ever(self):
        for how in ({'stdin': subprocess.DEVNULL}, {'input': b''}):
            r = self.p.deis('run', '-a', APP, '--', 'echo Hello, 世界; echo e >&2; exit 4', check=False, **how)
            self.assertEqual(r.returncode, 4)
            self.assertTrue(r.stdout.decode().startswith("Running 'echo Hello, 世界; echo e >&2; exit 4'...\n"))
            self.assertIn('Hello, 世界\n', r.stdout.decode())
            self.assertIn('e\n', r.stdout.decode())
            self.assertEqual(r.stderr, b'')

    def test_output_with_any_bytes(self):
        r = self.p.deis('run', '-a', APP, '--', "printf 'a\\000b\\377\\n'")
        self.assertTrue(r.stdout.endswith('...\na\0b\ufffd\n'.encode()), r.stdout)

    def test_one_line_of_64_kib(self):
        r = self.p.deis('run', '-a', APP, '--', 'head -c 65536 /dev/zero | while read -r x; do :; done; yes | head -c 65536')
        self.assertEqual(len(r.stdout.split(b'...\n', 1)[1]), 65536)


class Detached(RunCase):
    def test_is_listed_logged_and_stopped(self):
        r = self.p.deis('run', '-a', APP, '-d', "trap 'echo bye; exit 6' TERM; echo working; while :; do sleep 1; done")
        name = r.stdout.decode().strip()
        self.assertRegex(name, r'^run\.\d+$')
        self.assertIn(name + ' up (v', self.p.deis('ps', '-a', APP).stdout.decode())
        self.assertIn(name, self.p.deis('ps:list', '-a', APP, '--detail').stdout.decode())
        plain = self.p.send('GET', 'apps/%s/containers' % APP, 'mira')[1]['results']
        self.assertNotIn('run', [c['type'] for c in plain])
        logged = lambda: self.p.deis('logs', '-a', APP, '-p', name).stdout.decode()  # noqa: E731
        rig.wait_for(lambda: 'working' in logged(), 'its output is in the log')
        self.assertEqual(self.p.deis('ps:stop', '-a', APP, name).stdout.decode(), 'Stopping %s... done\n' % name)
        rig.wait_for(lambda: 'bye' in logged(), 'its last words are in the log')
        self.p.wait_gone()
        self.p.wait_down()
        self.assertEqual(self.p.runs()[-1]['exit']['code'], 6)
        self.assertNotIn(name + ' ', self.p.deis('ps', '-a', APP).stdout.decode())
        self.p.deis('ps:stop', '-a', APP, name)

    def test_what_can_not_be_stopped(self):
        r = self.p.deis('ps:stop', '-a', APP, 'worker.1', check=False)
        self.assertIn(b"Scale 'worker' down instead", r.stdout + r.stderr)
        self.assertEqual(self.p.deis('ps:stop', '-a', APP, 'run.999', check=False).returncode, 1)

    def test_time_limit(self):
        self.p.etcd.put('config/controller/runTimeout', '3s')
        try:
            rig.wait_for(lambda: 'key=runTimeout' in self.p.controller.said(), 'setting is taken')
            self.p.deis('run', '-a', APP, '-d', 'sleep 1000')
            self.p.wait_gone()
            self.p.wait_down()
        finally:
            told = self.p.controller.said().count('key=runTimeout')
            self.p.etcd.delete('config/controller/runTimeout')
            rig.wait_for(lambda: self.p.controller.said().count('key=runTimeout') > told, 'others have their time again')
        self.assertEqual(self.p.runs()[-1]['exit']['code'], 137)

    def test_destroyed_app_takes_it_along(self):
        self.p.send('POST', 'apps', 'mira', {'id': 'gone'})
        self.p.send('POST', 'apps/gone/builds', 'mira', {'image': self.p.image, 'procfile': {'worker': 'sleep 1'}})
        status, doc = self.p.send('POST', 'apps/gone/run', 'mira', {'command': 'sleep 1000', 'detach': True})
        self.assertEqual((status, doc['state'], doc['num']), (201, 'up', 1))
        self.assertEqual(self.p.send('DELETE', 'apps/gone', 'mira')[0], 204)
        self.p.wait_gone()

    def test_audit_has_no_arguments(self):
        self.p.deis('run', '-a', APP, 'TOKEN=hush env -i id s3cr3t', check=False)
        status, audit = self.p.send('GET', 'audit?app=%s' % APP, 'mira')
        self.assertEqual(status, 200)
        self.assertRegex(audit['results'][0]['object'], r'^app/shop/run\.\d+ env$')
        self.assertNotIn('s3cr3t', str(audit))


class Killed(RunCase):
    """Each of these kills a program; the next one finds it running again."""

    def again(self, program, port=None):
        program.start()
        if port:
            rig.wait_for(lambda: rig.can_connect(port), program.name + ' listens')

    def test_controller(self):
        t = self.shell()
        self.p.controller.kill()
        self.again(self.p.controller, self.p.http)
        t.expect('the connection to the controller was lost')
        self.assertEqual(t.end(), 255)
        self.p.wait_gone(90)
        self.p.wait_down()

    def test_controller_stops(self):
        t = self.shell()
        self.assertEqual(self.p.controller.stop(), 0)
        self.again(self.p.controller, self.p.http)
        t.expect('the controller is being stopped')
        self.assertEqual(t.end(), 255)
        self.p.wait_gone()

    def test_agent(self):
        t = self.shell()
        self.p.agent.kill()
        self.again(self.p.agent)
        t.expect('was restarted: the command was ended')
        self.assertEqual(t.end(), 255)
        self.p.wait_gone()
        self.p.wait_down()

    def test_agent_while_a_result_is_waited_for(self):
        client = subprocess.Popen([os.path.join(BIN, 'deis'), 'run', '-a', APP, '--', 'echo one; sleep 4; echo two; exit 3'],
                                  env={**os.environ, **self.p.person}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        rig.wait_for(lambda: 'run started' in self.p.agent.said().split('run ended')[-1], 'command runs')
        self.p.agent.kill()
        self.again(self.p.agent)
        out = client.communicate(timeout=2 * rig.DEADLINE)[0]
        self.assertEqual((client.returncode, out.split(b'...\n')[1]), (3, b'one\ntwo\n'))
        self.p.wait_gone()

    def test_container(self):
        t = self.shell()
        subprocess.run(['docker', 'kill', *self.p.containers()], check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(t.end(), 137)

    def test_router(self):
        t = self.shell()
        self.p.router.kill()
        self.again(self.p.router, self.p.web)
        t.expect('the connection to the controller was lost')
        self.assertEqual(t.end(), 255)
        self.p.wait_gone()

    def test_nothing_is_left_running(self):
        self.p.wait_gone()
        for program in self.p.programs:
            self.assertIsNone(program.p.poll(), program.said()[-2000:])
            self.assertNotIn('runtime error', program.said())


def rss(pid):
    with open('/proc/%d/statm' % pid) as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


if __name__ == '__main__':
    if not os.path.exists(platform_rig.rig.BIN + '/deis'):
        raise SystemExit('deis is not built')
    unittest.main(verbosity=2)
