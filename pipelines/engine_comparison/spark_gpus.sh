#!/bin/sh
# The discovery script of a Spark worker, which is told its GPUs as SPARK_WORKER_GPUS="0 1".
addresses=
for gpu in $SPARK_WORKER_GPUS; do
  addresses="$addresses${addresses:+, }\"$gpu\""
done
echo "{\"name\": \"gpu\", \"addresses\": [$addresses]}"
