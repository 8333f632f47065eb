import { type StepVerbs } from "../infra/stack/runStep";
import { explained } from "../infra/stores/client";
import { keepHere, keepInStore, removeHere } from "./keep";
import { loadReport } from "./load";
import { renderPage } from "./page";
import { reportKey } from "../results/records";

interface Spec {
  readonly bucket: string;
  readonly runs: readonly { readonly run: string }[];
}

export default {
  async create({ stack, spec: { bucket, runs } }) {
    const names = runs.map(({ run }) => run);
    const page = renderPage(loadReport(stack, names));
    keepHere(stack, page);
    await explained(() => keepInStore(stack, bucket, page));
    return { uri: `s3://${bucket}/${reportKey}`, runs: names.length };
  },

  async delete({ stack }) {
    removeHere(stack);
  },
} satisfies StepVerbs<Spec>;
