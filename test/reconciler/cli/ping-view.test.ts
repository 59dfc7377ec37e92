import { describe, expect, it } from 'vitest';
import { type PingAnswer, pingView } from '../../../reconciler/cli/view/ping.ts';
import type { Hop } from '../../../reconciler/connection/session.ts';
import { makeStyle } from '../../../reconciler/report/style.ts';

const style = makeStyle({ colour: false, unicode: true });
const refused = {
  code: 'ssh.unreachable',
  disposition: 'retry',
  message: '10.0.0.9:22: connection refused',
  hint: 'Check it.',
} as const;
const door: Hop = { host: 'door', kind: 'ssh', setUpMilliseconds: 61.2, roundTripMilliseconds: 0.42 };
const gate: Hop = { host: 'gate', kind: 'ssh', problem: refused };

function reached(host: string, hops: readonly Hop[]): PingAnswer {
  return { host, hops, milliseconds: 1.9, connectMilliseconds: 140, about: 'root, node 24' };
}
function behindGate(host: string): PingAnswer {
  return { host, hops: [gate], problem: refused };
}

describe('what ping shows', () => {
  it('is one line for a host that is reached directly', () => {
    const hop: Hop = { host: 'web1', kind: 'ssh', setUpMilliseconds: 140, roundTripMilliseconds: 1.9 };
    expect(pingView([reached('web1', [hop])], style, 80)).toEqual([
      '   host  round trip  connected in',
      '✓  web1      1.9 ms        140 ms  root, node 24',
      '',
      '1 of 1 hosts answered',
    ]);
  });

  it('is a line for every hop in its order where there are several', () => {
    const hops: Hop[] = [
      door,
      { host: 'inner', kind: 'tunnel', setUpMilliseconds: 70, roundTripMilliseconds: 1 },
      { host: 'box', kind: 'podman', setUpMilliseconds: 90, roundTripMilliseconds: 1.5 },
      { host: 'far', kind: 'relayed', setUpMilliseconds: 99, roundTripMilliseconds: 1.9 },
    ];
    expect(pingView([reached('far', hops)], style, 80)).toEqual([
      '   host     round trip  connected in',
      '✓  far          1.9 ms        140 ms  root, node 24',
      '   · door       0.4 ms         61 ms  ssh',
      '   · inner      1.0 ms         70 ms  ssh through door',
      '   · box        1.5 ms         90 ms  podman on inner',
      '   · far        1.9 ms         99 ms  ssh from box',
      '',
      '1 of 1 hosts answered',
    ]);
  });

  it('has no numbers for what was not measured', () => {
    const hops: Hop[] = [
      { host: 'door', kind: 'openssh' },
      { host: 'far', kind: 'openssh', setUpMilliseconds: 140, roundTripMilliseconds: 1.9 },
    ];
    expect(pingView([reached('far', hops)], style, 80)[2]).toMatch(/^ {3}· door +the OpenSSH client$/);
  });

  it('ends at the hop that fails, with those before it and their times', () => {
    const hops: Hop[] = [door, { host: 'inner', kind: 'tunnel', problem: refused }];
    expect(pingView([{ host: 'inner', hops, problem: refused }], style, 80)).toEqual([
      '   host     round trip  connected in',
      '!  inner',
      '   · door       0.4 ms         61 ms  ssh',
      '   ! inner                            ssh through door',
      '     ✗ ssh.unreachable',
      '       10.0.0.9:22: connection refused',
      '       → Check it.',
      '',
      '0 of 1 hosts answered',
    ]);
  });

  it('tells once what keeps several hosts away, and of each host its own', () => {
    const alone: PingAnswer = { ...behindGate('gate'), hops: [gate] };
    const shown = pingView([...['a', 'b', 'c'].map(behindGate), alone], style, 80);
    expect(shown).toContain('!  a, b, c');
    expect(shown).toContain('!  gate');
    expect(shown.filter((line) => line.includes('ssh.unreachable'))).toHaveLength(2);
  });

  it('keeps hops and times at 40 columns', () => {
    const shown = pingView([reached('inner', [door, { ...door, host: 'inner', kind: 'tunnel' }])], style, 40);
    expect(shown.slice(0, 3)).toEqual([
      '   host       trip      in',
      '✓  inner    1.9 ms  140 ms  root, node …',
      '   · door   0.4 ms   61 ms  ssh',
    ]);
  });

  it.each([40, 80])('lets nothing of a host steer the terminal at %i columns', (width) => {
    const poison = '\u001b[2J\u202e\u0007';
    const bad: Hop = { ...door, host: `door${poison}`, problem: { ...refused, message: poison } };
    const answers: PingAnswer[] = [
      { ...reached(`one${poison}`, [door, { ...door, host: poison }]), about: `root${poison}` },
      { host: `two${poison}`, hops: [door, bad], problem: bad.problem },
    ];
    for (const unicode of [true, false]) {
      const shown = pingView(answers, makeStyle({ colour: false, unicode }), width).join('\n');
      expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      expect(shown).toContain('1 of 2 hosts answered');
    }
  });
});
