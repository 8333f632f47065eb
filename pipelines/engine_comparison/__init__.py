"""Pipelines that compare Apache Spark, Ray Data and Daft on one object store.

The folders, in the direction of their imports (a line imports only from lines above it):

    errors, protocol, verify, images    no engine, no store
    describe                            what engines, workloads and datasets say of themselves
    store, network, store_requests      S3 access; a slow network to it; the store's counts
    measure, gpu_measure                memory, CPU and GPUs
    model/                              builds and runs the one model file
    workloads/                          what is computed: schemas, verification, right answers
    datasets/, oracle                   makes the inputs; stores the right answers
    context                             what a job is given
    batches                             images through the model, for workers of engines
    engines/, ray_cluster               one file an engine; the way to a Ray cluster
    publish, ray_job, job, leader       one attempt: start, measure, verify, publish
    check_gpu/                          checks a machine with a GPU, without a stack
"""

__version__ = "0.1.0"
