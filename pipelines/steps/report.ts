import { runStep } from "../../infra/runStep";
import { explained } from "../../infra/storage/client";
import { keepHere, keepInStore, removeHere } from "../../report/keep";
import { loadReport } from "../../report/load";
import { renderPage } from "../../report/page";
import { reportKey } from "../reportPlace";

interface Spec {
  readonly bucket: string;
  readonly runs: readonly { readonly run: string }[];
}

void runStep<Spec>({
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
});
