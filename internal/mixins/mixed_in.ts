/**
 * The type of a server class with a mix-in.
 *
 * @module
 */

import type { MixInOptions, ServerConstructor } from "../server/concurrent.ts";
import type { RequestHandlerConstructor } from "../server/stages.ts";

/**
 * The type of a server class with a mix-in: the static fields of both, and a constructor that takes the options of
 * both. A server class with a constructor of its own keeps the parameters of that constructor.
 *
 * @category Mix-ins
 * @typeParam B The server class.
 * @typeParam M The members that the mix-in adds.
 * @typeParam O The options that the mix-in adds. Each of them is a static field too.
 * @typeParam X The handler classes that the constructor takes besides those of the server class.
 */
export type MixedIn<
  B extends ServerConstructor,
  M,
  O extends MixInOptions = MixInOptions,
  X extends RequestHandlerConstructor = never,
> =
  & Pick<B, keyof B>
  & Required<O>
  & {
    new (
      ...args: ConstructorParameters<B> extends [infer A, infer H, (infer P)?]
        ? [
          serverAddress: A,
          RequestHandlerClass: H | X,
          options?: P & O,
        ]
        : ConstructorParameters<B>
    ): InstanceType<B> & M;
  };
