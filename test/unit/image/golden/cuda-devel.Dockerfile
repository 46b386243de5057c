FROM python:3.12-slim-bookworm AS python

FROM python AS dependencies
WORKDIR /build
ENV PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
RUN python3 -m venv --without-pip /opt/venv
COPY runtime/ /build/runtime/
RUN --mount=type=cache,id=modelship-pip,target=/root/.cache/pip \
    --mount=type=secret,id=modelship_install \
    --mount=type=secret,id=modelship_ca \
    if [ -f /run/secrets/modelship_install ]; then . /run/secrets/modelship_install; fi; python3 -m pip --python /opt/venv/bin/python install --no-compile --require-hashes -r runtime/requirements.txt
COPY requirements/ /build/requirements/
RUN --mount=type=cache,id=modelship-pip,target=/root/.cache/pip \
    --mount=type=secret,id=modelship_install \
    --mount=type=secret,id=modelship_ca \
    if [ -f /run/secrets/modelship_install ]; then . /run/secrets/modelship_install; fi; cd requirements && \
    python3 -m pip --python /opt/venv/bin/python install --no-compile -c ../runtime/constraints.txt -r requirements.txt
RUN python3 -m compileall -q -j 0 -x '/tests?/' --invalidation-mode unchecked-hash /opt/venv/lib || true; find /opt/venv -depth -exec touch -h -d @315532800 {} +

FROM nvidia/cuda:12.8.1-devel-ubuntu24.04
COPY --from=python /usr/local/bin /usr/local/bin
COPY --from=python /usr/local/lib /usr/local/lib
RUN apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates libbz2-1.0 libexpat1 libffi8 liblzma5 libncursesw6 libreadline8 libsqlite3-0 libssl3 libuuid1 tzdata zlib1g && \
    rm -rf /var/lib/apt/lists/* /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log && \
    ldconfig && \
    python3 -c 'import bz2, ctypes, lzma, readline, sqlite3, ssl, uuid, zlib'
COPY --from=dependencies /opt/venv /opt/venv
COPY service/ /opt/modelship/
COPY app/ /app/
WORKDIR /app
ENV PATH=/opt/venv/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/modelship \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    MODELSHIP_NAME=digits \
    MODELSHIP_VERSION=0.1.0 \
    MODELSHIP_ENTRY=model.py:Model \
    MODELSHIP_FILES=/app/model \
    MODELSHIP_PORT=8080 \
    MODELSHIP_TIMEOUT_S=30 \
    MODELSHIP_QUEUE_MAX_ROWS=256 \
    MODELSHIP_BATCH_MAX_ROWS=32 \
    MODELSHIP_BATCH_MAX_DELAY_MS=0 \
    MODELSHIP_WORKERS=1 \
    MODELSHIP_MAX_BODY_BYTES=16777216 \
    MODELSHIP_MAX_DECODED_BYTES=67108864 \
    MODELSHIP_MAX_ROWS=1024 \
    MODELSHIP_MAX_JSON_DEPTH=64 \
    MODELSHIP_MAX_CONNECTIONS=4096 \
    MODELSHIP_MAX_STREAMS=64 \
    MODELSHIP_JOBS_MAX=256 \
    MODELSHIP_JOBS_TTL_S=3600 \
    MODELSHIP_JOB_TIMEOUT_S=3600 \
    MODELSHIP_WARM_UP=1 \
    MODELSHIP_PLAYGROUND=1 \
    MODELSHIP_ACCELERATOR=cuda
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["/opt/venv/bin/python", "-m", "modelship_service.health"]
ENTRYPOINT ["/opt/venv/bin/python", "-m", "modelship_service"]
