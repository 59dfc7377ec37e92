import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Claims, type Holding } from '../../reconciler/claims.ts';

const nobody = async (): Promise<readonly Holding[]> => [];

describe('claims on hosts', () => {
  it('refuses a host that another environment has, names both and changes nothing', async () => {
    const claims = new Claims(nobody);
    expect(await claims.take('production', ['a', 'b'])).toEqual([]);
    expect(await claims.take('preview/x', ['b', 'c'])).toMatchObject([
      {
        code: 'settings.host-claimed-twice',
        message: 'host b is claimed by the environments "preview/x" and "production"',
        where: { environment: 'preview/x', host: 'b' },
      },
    ]);
    expect(await claims.take('preview/y', ['c'])).toEqual([]);
  });

  it('holds a host until a plan without it is in force', async () => {
    const claims = new Claims(nobody);
    await claims.take('production', ['a', 'b']);
    claims.keep('production', ['a', 'b']);
    await claims.take('production', ['a']);
    expect(await claims.take('preview/x', ['b'])).toHaveLength(1);
    expect(claims.freed()).toEqual([]);
    claims.keep('production', ['a']);
    expect(claims.freed()).toEqual(['preview/x']);
    expect(claims.freed()).toEqual([]);
    expect(await claims.take('preview/x', ['b'])).toEqual([]);
  });

  it('frees the hosts of an environment that is no more', async () => {
    const claims = new Claims(nobody);
    await claims.take('preview/x', ['a']);
    expect(await claims.take('preview/y', ['a'])).toHaveLength(1);
    claims.retain(new Set(['preview/y']));
    expect(claims.freed()).toEqual(['preview/y']);
  });

  it('begins with what is in force, then with what is declared first, whoever asks first', async () => {
    const claims = new Claims(async () => [
      { environment: 'first', isInForce: false, hosts: ['a', 'b'] },
      { environment: 'second', isInForce: false, hosts: ['b'] },
      { environment: 'old', isInForce: true, hosts: ['a'] },
    ]);
    expect(await claims.take('second', ['b'])).toEqual([]);
    expect(await claims.take('first', ['a', 'b'])).toMatchObject([
      { message: expect.stringContaining('"first" and "old"') },
      { message: expect.stringContaining('"first" and "second"') },
    ]);
    expect(await claims.take('old', ['a'])).toEqual([]);
  });

  it('never lets two environments have a host, in whatever order they ask', async () => {
    const names = ['p', 'q', 'r'];
    const ask = fc.record({
      environment: fc.constantFrom(...names),
      hosts: fc.subarray(['a', 'b', 'c', 'd']),
      isGood: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(ask, { maxLength: 12 }), async (asked) => {
        const claims = new Claims(nobody);
        const inForce = new Map<string, readonly string[]>();
        for (const { environment, hosts, isGood } of asked) {
          const problems = await claims.take(environment, hosts);
          if (problems.length > 0 || !isGood) continue;
          claims.keep(environment, hosts);
          inForce.set(environment, hosts);
        }
        const all = [...inForce.values()].flat();
        expect(new Set(all).size).toBe(all.length);
      }),
    );
  });
});
