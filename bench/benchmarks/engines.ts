import { count } from "../../report/format";
import { referenceOf, workloadOf } from "../../results/catalog";
import type { Bench, Benchmark } from "../stack";
import type { Table } from "../render";

/** Driver processes of each contender, so that the spread between processes is in the intervals. */
const forks = "3";

export const taxiReport = engines("taxi-report", "taxiRows", (bench) => bench.rows);
export const imagePredictions = engines("image-predictions", "photos", (bench) => bench.photos);
export const imageEmbeddings = engines("image-embeddings", "photos", (bench) => bench.photos);

/** All contenders that do a workload, in turn, at each of some sizes. */
function engines(
  workload: string,
  setting: string,
  sizes: (bench: Bench) => readonly number[],
): Benchmark {
  return {
    name: workload,
    what: "every contender that does it, against its reference",
    async run(bench) {
      const { unit, question } = workloadOf(workload);
      const reference = referenceOf(workload)?.name;
      const tables: Table[] = [];
      for (const amount of sizes(bench)) {
        await bench.deployed({ [setting]: amount });
        const jobs = await bench.stack.jobs(workload, (name, why) => {
          bench.note(`${name} is left out, as not supported: ${why}.`);
        });
        const contenders = [...jobs].map(([name, spec]) => ({ name, spec, against: reference }));
        tables.push(
          await bench.measured({
            title: `${workload}, ${count(amount)} ${unit.many}`,
            plan: { forks, ...bench.plan },
            contenders,
            ...(question.includes("model") && { work: { amount, unit: unit.many } }),
          }),
        );
      }
      return tables;
    },
  };
}
