import { type StepVerbs } from "../infra/stack/runStep";
import { explained } from "../infra/stores/client";
import { reportKey } from "../results/records";
import { keepInStore, removeReport, renderHere } from "./renderReport";

interface Spec {
  readonly bucket: string;
  readonly runs: readonly { readonly run: string }[];
}

export default {
  async create({ stack, spec: { bucket, runs } }) {
    const names = runs.map(({ run }) => run);
    const page = renderHere(stack, names);
    await explained(() => keepInStore(stack, bucket, page));
    return { uri: `s3://${bucket}/${reportKey}`, runs: names.length };
  },

  async delete({ stack }) {
    removeReport(stack);
  },
} satisfies StepVerbs<Spec>;
