import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServiceShape } from '../../../../agent/protocol/shapes/service.ts';
import { serviceResource } from '../../../../agent/resources/service/service.ts';
import { applying, noFacts, type TestHost, testHost } from '../../test-host.ts';
import { asAgent, dryRunAfter, planned, problemFrom, systemdFacts } from '../as-agent.ts';

let host: TestHost;
let bin: string;
beforeEach(() => {
  const base = { path: '', home: '/', user: 'root' };
  host = testHost({ facts: systemdFacts, base });
  bin = host.path('bin');
  base.path = bin;
  mkdirSync(`${bin}/units`, { recursive: true });
  copyFileSync(new URL('./systemctl.sh', import.meta.url), `${bin}/systemctl`);
});
afterEach(() => host.remove());

const loaded = {
  LoadState: 'loaded',
  ActiveState: 'inactive',
  SubState: 'dead',
  UnitFileState: 'disabled',
  NeedDaemonReload: 'no',
  Type: 'simple',
};

/** Gives the stub a unit. */
function unit(name: string, more: Readonly<Record<string, string>> = {}): void {
  const place = `${bin}/units/${name}.service`;
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  for (const [file, text] of Object.entries({ ...loaded, ...more }))
    writeFileSync(`${place}/${file}`, `${text}\n`);
}

function log(): string[] {
  return readFileSync(`${bin}/log`, 'utf8').trim().split('\n');
}

const run = (wanted: ServiceShape) => asAgent(host.system, serviceResource, wanted);
const check = (wanted: ServiceShape, context = applying) =>
  serviceResource.check(host.reader, wanted, context);

describe('service', () => {
  it('starts and enables a unit, and leaves it alone afterwards', async () => {
    unit('web');
    const wanted = { unit: 'web', state: 'running', enabled: true } as const;
    expect(await run(wanted)).toMatchObject({ acts: ['update enabled', 'update state'], left: [] });
    expect(log()).toEqual(['enable web.service', 'start web.service']);
    expect(await run(wanted)).toMatchObject({ acts: [] });
    const seen = { active: 'active', sub: 'running', enabled: 'enabled' };
    expect(await serviceResource.observe?.(host.reader, wanted)).toEqual(seen);
  });

  it('stops and disables a unit', async () => {
    unit('web', { ActiveState: 'active', UnitFileState: 'enabled' });
    const wanted = { unit: 'web', state: 'stopped', enabled: false } as const;
    expect(await run(wanted)).toMatchObject({ acts: ['update enabled', 'update state'], left: [] });
    expect(log()).toEqual(['disable web.service', 'stop web.service']);
    unit('web', { ActiveState: 'failed' });
    expect(await run(wanted)).toMatchObject({ acts: [] });
  });

  it('takes a unit that has nothing to enable as it is', async () => {
    unit('web', { UnitFileState: 'static' });
    expect(await check({ unit: 'web', enabled: true })).toEqual([]);
    expect(await check({ unit: 'web', enabled: false })).toEqual([]);
    unit('web', { UnitFileState: 'enabled-runtime' });
    expect(await check({ unit: 'web', enabled: true })).toHaveLength(1);
  });

  it('always acts to restart or reload, and looks whether it runs then', async () => {
    unit('web');
    for (const [state, verb] of [
      ['restarted', 'restart'],
      ['reloaded', 'reload-or-restart'],
    ] as const) {
      expect(await run({ unit: 'web', state })).toMatchObject({ acts: [`run ${state}`], left: [] });
      expect(log().at(-1)).toBe(`${verb} web.service`);
    }
    unit('once', { Type: 'oneshot' });
    expect(await run({ unit: 'once', state: 'restarted' })).toMatchObject({ left: [] });
  });

  it('finds a service that went down again after its restart', async () => {
    unit('web');
    const left = await serviceResource.verify?.(host.reader, { unit: 'web', state: 'restarted' }, applying);
    expect(left).toMatchObject([{ property: 'state' }]);
  });

  it('waits for a unit that takes its time', async () => {
    unit('web', { slow: '3' });
    expect(await run({ unit: 'web', state: 'running' })).toMatchObject({ left: [] });
  });

  it('fails with the unit’s last words when it does not stay up', async () => {
    unit('web', { dies: '', words: 'config line 7: no such port' });
    const problem = await problemFrom(run({ unit: 'web', state: 'running' }));
    expect(problem).toMatchObject({
      code: 'service.failed',
      message: 'web is failed (failed) after its start',
    });
    expect(problem.lines).toContain('config line 7: no such port');
  });

  it('fails with what systemctl said when it refuses', async () => {
    unit('web', { fails: 'start', words: 'see the log' });
    const problem = await problemFrom(run({ unit: 'web', state: 'running' }));
    expect(problem).toMatchObject({
      code: 'service.failed',
      message: 'systemctl start web ended with status 1',
    });
    expect(problem.lines).toEqual([
      'Job for web.service failed because the control process exited.',
      '* web.service',
      'see the log',
    ]);
  });

  it('reloads systemd first, when it is asked to and something has changed', async () => {
    unit('web', { NeedDaemonReload: 'yes' });
    expect(await check({ unit: 'web' })).toEqual([]);
    const wanted = { unit: 'web', daemonReload: true, state: 'restarted' } as const;
    expect(await run(wanted)).toMatchObject({ acts: ['run daemon-reload', 'run restarted'], left: [] });
    expect(log()).toEqual(['daemon-reload', 'restart web.service']);
    expect(await check({ unit: 'web', daemonReload: true })).toEqual([]);
  });

  it('unmasks before it starts and masks after it stops', async () => {
    unit('web', { LoadState: 'masked', UnitFileState: 'masked' });
    await run({ unit: 'web', masked: false, enabled: true, state: 'running' });
    expect(log()).toEqual(['unmask web.service', 'enable web.service', 'start web.service']);
    const gone = { unit: 'web', masked: true, state: 'stopped' } as const;
    expect(await run(gone)).toMatchObject({ acts: ['update masked', 'update state'], left: [] });
    expect(log().slice(3)).toEqual(['stop web.service', 'mask web.service']);
  });

  it('refuses a unit that systemd does not know, but takes it as stopped and disabled', async () => {
    const problem = await problemFrom(check({ unit: 'none', state: 'running' }));
    expect(problem).toMatchObject({ code: 'service.unknown', message: 'systemd has no unit none' });
    expect(await check({ unit: 'none', state: 'stopped', enabled: false })).toEqual([]);
    expect(await run({ unit: 'none', masked: true })).toMatchObject({ acts: ['update masked'], left: [] });
    const act = serviceResource.apply(
      host.system,
      { unit: 'gone', state: 'restarted' },
      [{ action: 'run', property: 'restarted' }],
      applying,
    );
    expect((await problemFrom(act)).code).toBe('service.unknown');
  });

  it('is unknown in a dry run while a package, a unit file or a command may bring the unit', async () => {
    const bringers = [
      planned('package', { package: 'nginx', state: 'present' }),
      planned('file', { path: '/etc/systemd/system/none.service', state: 'present' }),
      planned('command', { argv: ['make', 'install'] }),
    ];
    for (const bringer of bringers) {
      expect(await check({ unit: 'none', state: 'running' }, dryRunAfter(bringer))).toHaveProperty('unknown');
    }
    const unrelated = dryRunAfter(planned('package', { package: 'nginx', state: 'absent' }));
    expect((await problemFrom(check({ unit: 'none', state: 'running' }, unrelated))).code).toBe(
      'service.unknown',
    );
  });

  it('announces in a dry run that systemd will be reloaded for a unit file still to come', async () => {
    unit('web');
    const wanted = { unit: 'web', daemonReload: true };
    for (const path of ['/etc/systemd/system/web.service', '/etc/systemd/system/web.service.d/limits.conf']) {
      const context = dryRunAfter(planned('file', { path, state: 'present' }));
      expect(await check(wanted, context)).toMatchObject([{ property: 'daemon-reload' }]);
    }
    const other = dryRunAfter(planned('file', { path: '/etc/systemd/system/db.service', state: 'present' }));
    expect(await check(wanted, other)).toEqual([]);
  });

  it('says so when systemd does not answer, and where there is none', async () => {
    writeFileSync(`${bin}/offline`, '');
    const problem = await problemFrom(check({ unit: 'web', state: 'running' }));
    expect(problem).toMatchObject({
      code: 'service.failed',
      lines: ['Failed to connect to bus: Host is down'],
    });
    for (const initSystem of ['none', 'openrc', null] as const) {
      const { reader, remove } = testHost({ facts: { ...noFacts, initSystem } });
      remove();
      const refused = serviceResource.check(reader, { unit: 'web', state: 'running' }, applying);
      expect((await problemFrom(refused)).code).toBe('service.unsupported');
    }
  });
});
