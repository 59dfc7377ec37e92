import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindEnvironments, conflictingClaims, sharedHosts } from '../../../reconciler/policy/branches.ts';
import type { EnvironmentDeclaration } from '../../../reconciler/policy/environment.ts';

function declared(name: string, branch: string): EnvironmentDeclaration {
  return {
    name,
    branch,
    inventory: 'inventory.toml',
    roles: [],
    drift: { mode: 'off', schedule: '* * * * *', timezone: 'UTC', spreadSeconds: 0 },
    pollSeconds: 60,
    parallel: 20,
    place: { file: 'towline.toml', line: 1, column: 15 },
  };
}

function bound(declarations: EnvironmentDeclaration[], branches: string[]): string[] {
  return bindEnvironments(declarations, branches).environments.map(
    ({ name, branch }) => `${name} ← ${branch}`,
  );
}

describe('binding environments to branches', () => {
  it('binds a fixed branch to one environment and a pattern to one for each branch', () => {
    const declarations = [declared('preview', 'feature/*'), declared('production', 'main')];
    expect(bound(declarations, ['main', 'feature/b', 'other', 'feature/a/x', 'feature/'])).toEqual([
      'preview/a/x ← feature/a/x',
      'preview/b ← feature/b',
      'production ← main',
    ]);
  });

  it('lets a pattern have something after its star', () => {
    expect(
      bound([declared('p', 'team/*/live')], ['team/a/live', 'team/live', 'team//live', 'team/b']),
    ).toEqual(['p/a ← team/a/live']);
  });

  it('has nothing for a pattern that matches no branch, which is no problem', () => {
    expect(bindEnvironments([declared('p', 'x/*')], ['main'])).toEqual({ environments: [], problems: [] });
  });

  it('says which branch is missing and goes on with the others', () => {
    const result = bindEnvironments([declared('a', 'mian'), declared('b', 'main')], ['main']);
    expect(result.environments.map(({ name }) => name)).toEqual(['b']);
    expect(result.problems).toMatchObject([
      {
        code: 'settings.missing-branch',
        message: 'environment "a": there is no branch "mian"; did you mean "main"?',
        where: { file: 'towline.toml', line: 1, column: 15, environment: 'a' },
      },
    ]);
  });

  it('lets two declarations follow one branch', () => {
    expect(bound([declared('a', 'main'), declared('b', '*')], ['main'])).toEqual([
      'a ← main',
      'b/main ← main',
    ]);
  });

  it('refuses a second environment of the same name and keeps the first', () => {
    const result = bindEnvironments([declared('a', 'main'), declared('a', 'next')], ['main', 'next']);
    expect(result.environments.map(({ branch }) => branch)).toEqual(['main']);
    expect(result.problems.map(({ message }) => message)).toEqual([
      'branches "main" and "next" would both be the environment "a"',
    ]);
  });
});

describe('claims on hosts', () => {
  it('names the host and both environments', () => {
    const problems = conflictingClaims([
      { environment: 'production', host: 'web1' },
      { environment: 'preview/x', host: 'web1' },
      { environment: 'preview/x', host: 'web2' },
      { environment: 'preview/x', host: 'web2' },
    ]);
    expect(problems).toMatchObject([
      {
        code: 'settings.host-claimed-twice',
        message: 'host web1 is claimed by the environments "preview/x" and "production"',
        where: { host: 'web1', environment: 'preview/x' },
      },
    ]);
  });

  it('says it once for many hosts of the same environments', () => {
    const claims = Array.from({ length: 8 }, (_, n) =>
      ['a', 'b'].map((environment) => ({ environment, host: `h${n}` })),
    );
    expect(conflictingClaims(claims.flat()).map(({ message }) => message)).toEqual([
      'hosts h0, h1, h2, h3, h4 and 3 more are claimed by the environments "a" and "b"',
    ]);
  });

  it('finds exactly the hosts with more than one environment, in whatever order claims come', () => {
    const claim = fc.record({
      environment: fc.constantFrom('a', 'b', 'c'),
      host: fc.constantFrom('h', 'i', 'j', 'k'),
    });
    fc.assert(
      fc.property(fc.array(claim), (claims) => {
        const found = sharedHosts(claims);
        expect(sharedHosts(claims.toReversed())).toEqual(found);
        const twice = ['h', 'i', 'j', 'k'].filter(
          (host) => new Set(claims.filter((one) => one.host === host).map((one) => one.environment)).size > 1,
        );
        expect(found.flatMap(({ hosts }) => hosts).sort()).toEqual(twice);
      }),
    );
  });
});
