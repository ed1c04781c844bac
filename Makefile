# The two commands of the README: `make run` and `make test`. Everything lives in .venv.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# What torch's default Linux build asks for besides; left out of the lock, so that a CPU build is
# taken where the index (or a local wheel) offers one, and pip adds them where it does not.
CUDA_PACKAGES := cuda-bindings cuda-pathfinder cuda-toolkit triton nvidia-cublas nvidia-cuda-cupti \
	nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand \
	nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink \
	nvidia-nvshmem-cu13 nvidia-nvtx

.PHONY: run test check format install lock screenshots clean

run: install
	$(BIN)/glam run quickstart

test: install
	$(BIN)/pytest -n 2 --dist loadfile

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

screenshots: install
	$(BIN)/python -m tests.browser.screenshots

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The one command that makes the lock. `make lock UPGRADE=--upgrade` takes newer releases.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --extra dev --extra bench --extra lm-eval --extra web --extra postgres --extra s3 --extra mlflow-auth --quiet \
		$(UPGRADE) $(CUDA_PACKAGES:%=--no-emit-package %) --output-file requirements.lock \
		--custom-compile-command "make lock"

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache
