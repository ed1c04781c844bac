"""The registered model as code: MLflow keeps this file and a reference, the weights stay in the store.

`mlflow.pyfunc.load_model("models:/<name>@sparse").predict(["def add(a, b):"])` completes text;
`params={"mode": "loglikelihood"}` gives log-likelihoods in nats instead. Loading verifies the manifest
hash and every file behind it. Nothing is unpickled.
"""

from collections.abc import Sequence
from typing import Any

import pandas
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

MODES = ("complete", "loglikelihood")


class StoredModel(PythonModel):
    """A run of the store behind MLflow's predict."""

    def load_context(self, context: Any) -> None:
        """Opens the run that `model_config` names.

        Raises StoreError where there is none, IntegrityError where it is not what was registered.
        """
        from glam.data.tokenizer import Tokenizer
        from glam.model.saved import load_model
        from glam.store import IntegrityError, Store

        config = context.model_config
        folder = Store(config["store_root"]).open("runs", config["fingerprint"])
        if (found := folder.manifest_hash()) != config["manifest_hash"]:
            raise IntegrityError(
                f"{folder.path} has the manifest {found[:16]}..., registered was {config['manifest_hash'][:16]}...: "
                "it is another result, register it anew"
            )
        folder.verify()
        self._model = load_model(folder.path)
        self._tokenizer = Tokenizer.load(folder.path)

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride] - MLflow declares None
        self,
        model_input: pandas.DataFrame,  # the one kind of type from which MLflow derives no signature of its own
        params: dict[str, Any] | None = None,
    ) -> list[Any]:
        """A continuation or a log-likelihood for each text. Raises ValueError for an unknown mode."""
        options = params or {}
        mode = options.get("mode", "complete")
        if mode not in MODES:
            raise ValueError(f"unknown mode {mode!r}; known: {', '.join(MODES)}")
        texts = [str(text) for text in model_input.iloc[:, 0]]  # the signature makes a table of one column
        if mode == "loglikelihood":
            return self._log_likelihoods(texts)
        from glam.model.generation import GenerationConfig, complete

        settings = GenerationConfig(max_new_tokens=int(options.get("max_new_tokens", 32)))
        return complete(self._model, self._tokenizer, texts, settings)

    def _log_likelihoods(self, texts: Sequence[str]) -> list[float]:
        from glam.model.likelihood import score_rows

        rows = [[self._tokenizer.end_of_text, *self._tokenizer.encode(text)] for text in texts]
        return [-float(scores.nll.sum()) for scores in score_rows(self._model, rows)]


set_model(StoredModel())
