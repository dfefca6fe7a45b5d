import type fc from "fast-check";
import type { ExpectedCall } from "./property-call.ts";
import { perform } from "./property-perform.ts";
import type { ReferenceCloud } from "./property-reference.ts";
import type { PropertySession } from "./property-session.ts";
import { verify } from "./property-verify.ts";

export type PropertyCommand = fc.AsyncCommand<ReferenceCloud, PropertySession>;

/** A command that verifies everything once it has run. */
export function command<T>(
  name: string,
  params: fc.Arbitrary<T>,
  run: (cloud: ReferenceCloud, session: PropertySession, params: T) => Promise<void>,
  check: (cloud: ReferenceCloud) => boolean = () => true,
): fc.Arbitrary<PropertyCommand> {
  return params.map((given) => {
    const label = `${name} ${JSON.stringify(given)}`;
    return {
      check,
      run: async (cloud, session) => {
        session.note(label);
        await run(cloud, session, given);
        await verify(cloud, session);
      },
      toString: () => label,
    };
  });
}

/** A call whose parameters are drawn, to be built from what is there when it is made. */
export interface DrawnCall {
  readonly build: (cloud: ReferenceCloud, session: PropertySession) => ExpectedCall;
  /** For whoever reads a failure. */
  readonly toJSON: () => unknown;
}

/** Calls of one method. `build` may ask for the etag that a path beside PARENT has now. */
export function drawCalls<T>(
  name: string,
  params: fc.Arbitrary<T>,
  build: (
    cloud: ReferenceCloud,
    params: T,
    presentEtag: (path: string) => string | undefined,
  ) => ExpectedCall,
): fc.Arbitrary<DrawnCall> {
  return params.map((given) => ({
    build: (cloud, session) => build(cloud, given, etagsOf(session)),
    toJSON: () => ({ [name]: given }),
  }));
}

/** The commands that make such calls. */
export function performed(calls: fc.Arbitrary<DrawnCall>): fc.Arbitrary<PropertyCommand> {
  return command("call", calls, (cloud, session, call) =>
    perform(cloud, session, call.build(cloud, session)),
  );
}

function etagsOf(session: PropertySession): (path: string) => string | undefined {
  return (path) => {
    const document = session.observation?.documents.get(path) as { etag?: string } | undefined;
    return document?.etag;
  };
}
