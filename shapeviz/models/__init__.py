"""Models: one family a file, its name the `model_type` of its configurations (`transformer` is built from sizes).

A family's file has
- `Config`, a frozen dataclass: the keys of a config.json under their own names, each a `key(…)` that says what it may
  be, with the default that its documentation states where it is left out;
- `SYMBOLS`, the letter of each size and its key; `ALIASES`, other names that a key goes by;
- `IGNORED`, keys that change neither shapes nor cost; `ONLY`, keys understood at these values alone;
- `CLASSES`, the task of each class name: the first is meant if a configuration names none;
- `TYPE`, the model type of transformers' configurations where the file has another name (`xlm-roberta`, `kimi_k2`);
- `MODULES`: where PyTorch's implementation has what our paths name, for proofs;
- `check(c)`, which raises SizeError for sizes that do not go together and for names that are not known;
- `build(c, task)`, the Plan of a model.
Config, SYMBOLS, CLASSES, check and build are needed; a file that lacks one is refused with what it lacks. What a letter
means stands in shapeviz.symbols, or in the Plan's `legend` if this family alone has it.
"""

from shapeviz.models._plan import Layers, Plan

__all__ = ["Layers", "Plan"]
