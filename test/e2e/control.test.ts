import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { run, until } from '../support/processes.ts';
import { isMissing, isRoot } from '../support/programs.ts';

const director = new TestDirector();

beforeAll(() => director.start());
afterAll(() => director.cleanUp());

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** A netlink header with `type` and REQUEST | ACK, claiming `length` bytes. */
function netlink(length: number, type: number, payload = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(5, 6);
  return Buffer.concat([header, payload]);
}

const framed = (datagram: Buffer): Buffer => Buffer.concat([u32(datagram.length), datagram]);

describe('garbage on the control socket', () => {
  test.each([
    { what: 'random bytes', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n') },
    { what: 'a frame of 4 GB', bytes: u32(0xffffffff) },
    { what: 'half a length', bytes: Buffer.from([16, 0]) },
    { what: 'half a frame', bytes: Buffer.concat([u32(100), Buffer.alloc(50)]) },
    { what: 'an empty frame', bytes: u32(0) },
    { what: 'a message that claims more than its frame', bytes: framed(netlink(4096, 28)) },
    { what: 'a message that claims less than its header', bytes: framed(netlink(3, 28)) },
    { what: 'an unknown family', bytes: framed(netlink(20, 999, Buffer.from([1, 1, 0, 0]))) },
    {
      what: 'an attribute longer than the message',
      bytes: framed(netlink(24, 28, Buffer.from([1, 1, 0, 0, 255, 255, 1, 0]))),
    },
  ])('$what: that connection gets an error or its end, the director goes on', async ({ bytes }) => {
    const reply = await send(bytes);
    if (reply.length > 0) expect(reply.readUInt16LE(8)).toBe(2);
    expect(await director.ok('-L -n')).toContain('IP Virtual Server version 1.2.1');
    expect(director.process?.exitCode).toBe(null);
  });

  test('an unknown family is answered with ENOENT', async () => {
    const reply = await send(framed(netlink(20, 999, Buffer.from([1, 1, 0, 0]))));
    expect(reply.readInt32LE(4 + 16)).toBe(-2);
  });
});

describe('what a service may have', () => {
  test('a port in use is refused with nothing changed', async () => {
    await director.ok('-A -t 127.63.0.1:7001 -s rr');
    await director.ok('-a -t 127.63.0.1:7001 -r 127.63.0.11:80 -m');
    const other = new TestDirector();
    try {
      await other.start();
      const refused = await other.ipvsadm('-A -t 127.63.0.1:7001 -s rr');
      expect(refused.status).toBe(255);
      expect(refused.stderr).toMatch(/^Address already in use\nuipvs: .*127\.63\.0\.1:7001.*\n$/);
      expect(await other.ok('-S -n')).toBe('');
    } finally {
      await other.cleanUp();
      await director.ok('-C');
    }
  });

  test('restored rules are never refused: a port in use waits until it is free', async () => {
    const other = new TestDirector();
    try {
      await other.start();
      await other.ok('-A -t 127.63.0.1:7002 -s rr');
      await other.ok('-a -t 127.63.0.1:7002 -r 127.63.0.11:80 -m');
      await other.kill('SIGTERM');
      await director.ok('-A -t 127.63.0.1:7002 -s rr');
      await director.ok('-a -t 127.63.0.1:7002 -r 127.63.0.11:80 -m');
      await other.start();
      expect((await other.status()).services).toMatchObject([{ state: 'waiting: port' }]);
      await director.ok('-C');
      await until(
        'the service is served',
        async () => (await other.status()).services[0]?.state === 'served',
      );
    } finally {
      await other.cleanUp();
      await director.ok('-C');
    }
  });

  test.each([
    { what: 'a tunnel server', rule: '-a -t 127.63.0.1:7003 -r 127.63.0.11:80 -i' },
    { what: 'a gateway server', rule: '-a -t 127.63.0.1:7003 -r 127.63.0.11:80 -g' },
    { what: 'a server that is our own virtual address', rule: '-a -t 127.63.0.1:7003 -r 127.63.0.1:7003 -m' },
    { what: 'a fwmark service', rule: '-A -f 5 -s rr' },
    { what: 'a service on port 0', rule: '-A -t 127.63.0.1:0 -s rr -p 60' },
    { what: 'an SCTP service', rule: '--add-service --sctp-service 127.63.0.1:7003 -s rr' },
  ])('$what is refused under the proxy plane with a reason, and nothing is changed', async ({ rule }) => {
    await director.ok('-A -t 127.63.0.1:7003 -s rr');
    const before = await director.ok('-S -n');
    const refused = await director.ipvsadm(rule);
    expect(refused.status).toBe(255);
    expect(refused.stderr).toMatch(/\nuipvs: .+\n$/);
    expect(await director.ok('-S -n')).toBe(before);
    await director.ok('-C');
  });

  test('an address that is not local is accepted and waits', async () => {
    await director.ok('-A -t 192.0.2.1:7004 -s rr');
    await director.ok('-a -t 192.0.2.1:7004 -r 127.63.0.11:80 -m');
    expect((await director.status()).services).toMatchObject([{ state: 'waiting: address' }]);
    await director.ok('-C');
  });

  test('0.0.0.0 is accepted and not served', async () => {
    await director.ok('-A -t 0.0.0.0:7005 -s rr');
    await director.ok('-a -t 0.0.0.0:7005 -r 127.63.0.11:80 -m');
    expect((await director.status()).services[0]?.state).toMatch(/^unservable: /);
    await director.ok('-C');
  });
});

describe.skipIf(!isRoot || isMissing('ip', 'nc'))('in a network namespace of its own', () => {
  const name = `uipvs-${process.pid}`;
  const inside = ['ip', 'netns', 'exec', name];
  const moved = new TestDirector();

  beforeAll(async () => {
    await run(['ip', 'netns', 'add', name]);
    await run([...inside, 'ip', 'link', 'set', 'lo', 'up']);
  });
  afterAll(async () => {
    await moved.cleanUp();
    await run(['ip', 'netns', 'delete', name]);
  });

  test('a service is served once its address appears, and IPv6 is served too', async () => {
    await moved.start(['--plane', 'proxy'], inside);
    for (const vip of ['10.9.0.1:80', '[fd00:9::1]:80']) {
      await moved.ok(`-A -t ${vip.replace(':80', ':8080')} -s rr`);
      await moved.ok(
        `-a -t ${vip.replace(':80', ':8080')} -r ${vip.startsWith('[') ? '[::1]' : '127.0.0.1'}:9090 -m`,
      );
    }
    const states = async (): Promise<string[]> => (await moved.status()).services.map(({ state }) => state);
    expect(await states()).toEqual(['waiting: address', 'waiting: address']);
    await run([...inside, 'ip', 'addr', 'add', '10.9.0.1/32', 'dev', 'lo']);
    await run([...inside, 'ip', '-6', 'addr', 'add', 'fd00:9::1/128', 'dev', 'lo', 'nodad']);
    await until('both are served', async () => (await states()).every((state) => state === 'served'));
    for (const [option, server, vip] of [
      ['-4', '127.0.0.1', '10.9.0.1'],
      ['-6', '::1', 'fd00:9::1'],
    ]) {
      const answer = run([...inside, 'sh', '-c', `echo pod | nc ${option} -N -l ${server} 9090`]);
      await until('the server answers', async () => {
        const client = await run([...inside, 'nc', option!, '-N', '-w', '2', vip!, '8080']);
        return client.stdout === 'pod\n';
      });
      await answer;
    }
  });
});

test('a director that is gone is reported as ipvsadm does, with a line of help', async () => {
  const absent = new TestDirector();
  const { status, stderr } = await absent.ipvsadm('-L -n');
  expect(status).toBe(2);
  expect(stderr).toBe(
    "Can't initialize ipvs: Protocol not available\n" +
      'Are you sure that IP Virtual Server is built in the kernel or as module?\n' +
      `uipvs: no director at ${join(absent.runtimeDir, 'netlink.sock')}; start one with 'uipvs up'\n`,
  );
  await absent.cleanUp();
});

test('up starts a director, is content with a running one, and down ends it', async () => {
  const own = new TestDirector();
  const refused = await own.uipvs('up --until-eof');
  expect(refused).toMatchObject({
    status: 2,
    stderr: 'uipvs: up: --until-eof is for a director in the foreground\n',
  });
  expect((await own.uipvs('up')).status).toBe(0);
  expect((await own.uipvs('up')).status).toBe(0);
  expect(await own.ok('-L -n')).toContain('IP Virtual Server');
  expect((await own.uipvs('down')).status).toBe(0);
  expect((await own.ipvsadm('-L -n')).status).toBe(2);
  await own.cleanUp();
});

test('with UIPVS_AUTOSTART=1 the first ipvsadm starts a director', async () => {
  const own = new TestDirector();
  own.env['UIPVS_AUTOSTART'] = '1';
  expect(await own.ok('-L -n')).toContain('IP Virtual Server');
  expect((await own.uipvs('down')).status).toBe(0);
  await own.cleanUp();
});

/** Sends bytes, then the end of the stream. @returns all that came back */
async function send(bytes: Buffer): Promise<Buffer> {
  const socket = connect(join(director.runtimeDir, 'netlink.sock'));
  socket.end(bytes);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk as Buffer);
  } catch {
    // A reset is an answer too.
  }
  return Buffer.concat(chunks);
}
