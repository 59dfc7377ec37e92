/**
 * Parameters of `echo`, `assert` and `stop`: kinds that say or decide, and change nothing.
 * Invariant: deciding kinds hold an expression, decided on the host.
 * Pure.
 */

import { expressionSchema } from '../expression.ts';
import * as z from '../schema.ts';

/** Text with places for registered values: strings and expressions in turn. */
export const messageSchema = z.array(z.union([z.string, expressionSchema]));

export const echoShape = z.object({ message: messageSchema });
export type EchoShape = z.Infer<typeof echoShape>;

export const assertShape = z.object({ that: z.array(expressionSchema), message: z.optionalString });

export const stopShape = z.object({ message: z.string });
