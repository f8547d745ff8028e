import { afterAll, beforeAll, expect, test } from 'vitest';
import { FFI_NAMES } from '../../src/net/ffi/native.ts';
import { TestDirector } from '../support/director.ts';
import { findProgram, isMissing } from '../support/programs.ts';
import { runScript, runWrapped } from '../support/wrapped.ts';

/* What wrapped programs do is the same by whichever package the kernel is called; run.test.ts has it by the fastest. */
const director = new TestDirector();

beforeAll(() => director.start(['--plane', 'none']));
afterAll(() => director.cleanUp());

test.skipIf(isMissing('ipvsadm')).each(FFI_NAMES)(
  'a wrapped ipvsadm restores and lists by %s',
  async (name) => {
    director.env['UIPVS_FFI'] = name;
    const ipvsadm = findProgram('ipvsadm')!;
    const servers = Array.from(
      { length: 300 },
      (_, i) => `-a -t 10.0.0.1:80 -r 10.1.${i >> 8}.${i & 255}:80 -m -w 1\n`,
    );
    const rules = `-A -t 10.0.0.1:80 -s rr\n${servers.join('')}`;
    expect(await runWrapped(director, [ipvsadm, '-C'])).toMatchObject({ status: 0, stderr: '' });
    expect(await runWrapped(director, [ipvsadm, '-R'], { input: rules })).toMatchObject({
      status: 0,
      stderr: '',
    });
    const saved = await runWrapped(director, [ipvsadm, '-S', '-n']);
    expect(saved.stdout.split('\n').sort()).toEqual(rules.split('\n').sort());
  },
);

test.skipIf(isMissing('ipvsadm'))('a package that is not known is refused in one line', async () => {
  director.env['UIPVS_FFI'] = 'cffi';
  const { status, stderr } = await runScript(director, 'true');
  expect([status, stderr]).toEqual([
    1,
    "uipvs: run programs: call the kernel: UIPVS_FFI takes koffi or ffi-rs, not 'cffi'\n",
  ]);
});
