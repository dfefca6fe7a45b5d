import type * as pulumi from "@pulumi/pulumi";

/** What a module of providers/ offers to the shell of its resource. */
interface Reconciler<Inputs, Outputs> {
  check(recorded: Inputs, wanted: Inputs): Promise<pulumi.dynamic.CheckResult<Inputs>>;
  diff(id: string, recorded: Outputs, wanted: Inputs): pulumi.dynamic.DiffResult;
  create(inputs: Inputs): Promise<pulumi.dynamic.CreateResult<Outputs>>;
  read(id: string, recorded: Outputs): Promise<pulumi.dynamic.ReadResult<Outputs>>;
  update(id: string, recorded: Outputs, inputs: Inputs): Promise<{ outs: Outputs }>;
  remove(id: string, recorded: Outputs): Promise<void>;
}

/**
 * A dynamic provider of one-line methods that load their module at call time. Pulumi keeps their text in the state: it
 * stays a few hundred bytes and the same while the work changes, and old state runs today's code.
 */
export function shellOf<Inputs extends object, Outputs extends object>(
  moduleName: string,
): pulumi.dynamic.ResourceProvider<Inputs, Outputs> {
  return {
    async check(olds, news) {
      return (require(moduleName) as Reconciler<Inputs, Outputs>).check(olds, news);
    },
    async diff(id, olds, news) {
      return (require(moduleName) as Reconciler<Inputs, Outputs>).diff(id, olds, news);
    },
    async create(inputs) {
      return (require(moduleName) as Reconciler<Inputs, Outputs>).create(inputs);
    },
    async read(id, props) {
      return (require(moduleName) as Reconciler<Inputs, Outputs>).read(id, props as Outputs);
    },
    async update(id, olds, news) {
      return (require(moduleName) as Reconciler<Inputs, Outputs>).update(id, olds, news);
    },
    async delete(id, props) {
      await (require(moduleName) as Reconciler<Inputs, Outputs>).remove(id, props);
    },
  };
}
