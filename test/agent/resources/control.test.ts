import { describe, expect, it } from 'vitest';
import { type Expression, evaluateExpression, unknownValue } from '../../../agent/protocol/expression.ts';
import type { Json } from '../../../agent/protocol/json.ts';
import { assertResource } from '../../../agent/resources/assert.ts';
import { echoResource } from '../../../agent/resources/echo.ts';
import type { CheckContext } from '../../../agent/resources/resource.ts';
import { stopResource } from '../../../agent/resources/stop.ts';
import { applying, testHost } from '../test-host.ts';
import { problemFrom } from './as-agent.ts';

const get = (...path: string[]): Expression => ({ op: 'get', path });
const value = (of: Json): Expression => ({ op: 'value', value: of });

/** Knows the registered result `disk`; `later` is not known yet. */
const context: CheckContext = {
  ...applying,
  evaluate(expression) {
    const known: Readonly<Record<string, Json>> = { disk: { free: 7, name: 'sda', tags: ['a'] } };
    const answer = evaluateExpression(expression, (name) => (name === 'later' ? unknownValue : known[name]));
    return answer === unknownValue ? { unknown: true } : { value: answer };
  },
};

describe('echo', () => {
  it('says its text with registered values in their places', async () => {
    let said = '';
    const host = testHost({ onOutput: (stream, text) => (said += `${stream}: ${text}`) });
    const message = [
      'disk ',
      get('disk', 'name'),
      ' has ',
      get('disk', 'free'),
      get('disk', 'none'),
      ' ',
      get('disk', 'tags'),
      ' and ',
      get('later', 'x'),
    ];
    expect(await echoResource.check(host.reader, { message }, context)).toEqual([]);
    expect(said).toBe('stdout: disk sda has 7 ["a"] and «unknown»\n');
    expect(await echoResource.apply(host.system, { message }, [], context)).toBeUndefined();
    host.remove();
  });
});

describe('assert', () => {
  const { reader, system, remove } = testHost();
  remove();
  const check = (that: Expression[], message?: string) =>
    assertResource.check(reader, { that, message }, context);

  it('is content when every expression holds', async () => {
    const that = [get('disk', 'name'), { op: '>', left: get('disk', 'free'), right: value(5) } as const];
    expect(await check(that)).toEqual([]);
    expect(await assertResource.apply(system, { that }, [], context)).toBeUndefined();
  });

  it('fails with the expression that does not hold, in the author’s terms', async () => {
    const less: Expression = { op: '<', left: get('disk', 'free'), right: value(5) };
    const either: Expression = { op: 'or', left: less, right: { op: 'not', of: get('disk', 'name') } };
    expect(await problemFrom(check([either]))).toMatchObject({
      code: 'resource.assertion',
      message: 'it does not hold that (disk.free < 5) or not (disk.name)',
    });
    expect((await problemFrom(check([less], 'disk too big'))).message).toBe(
      'disk too big (it does not hold that disk.free < 5)',
    );
  });

  it('is unknown while a result is not known, unless another is certainly false', async () => {
    expect(await check([get('later')])).toHaveProperty('unknown');
    expect((await problemFrom(check([get('later'), value(false)]))).code).toBe('resource.assertion');
  });
});

describe('stop', () => {
  it('ends with its message, in a dry run too', async () => {
    const { reader, system, remove } = testHost();
    remove();
    const problem = await problemFrom(stopResource.check(reader, { message: 'not here' }, context));
    expect(problem).toMatchObject({ code: 'resource.stopped', message: 'not here' });
    expect(await stopResource.apply(system, { message: '' }, [], context)).toBeUndefined();
  });
});
