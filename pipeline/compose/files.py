"""The files of an experiment, params.yaml and those of conf/, as Hydra reads them."""

from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf

from pipeline.compose.sources import CONF, PARAMS, read_file
from pipeline.compose.values import typed
from pipeline.runtime.errors import UserError

MAIN = "config"
PARAMS_LINE = "/params@_global_"


class Files(ConfigSource):
    """A folder whose YAML files have the types of the schema."""

    @staticmethod
    def scheme() -> str:
        return "experiment"

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return Path(self.path, config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        return Path(self.path, self._normalize_file_name(config_path)).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        del config_path, results_filter
        return []  # only for messages of Hydra that are not shown

    def load_config(self, config_path: str) -> ConfigResult:
        """The content of a file of the folder. Raises UserError, which names it."""
        path = Path(self.path, self._normalize_file_name(config_path))
        name = path.name if path.name == PARAMS else f"{CONF}/{config_path}.yaml"
        content = read_file(path, name)
        try:
            header = self._get_header_dict(path.read_text("utf-8-sig"))
        except ValueError as error:
            raise UserError(
                f"{name}: a comment that begins with @ must be @package NAME"
            ) from error
        package = header["package"]
        section = config_path.rpartition("/")[0] if package is None else package
        # What an option is built on; params.yaml chooses options under conf.
        defaults = [] if name == PARAMS else content.pop("defaults", None) or []
        if not isinstance(defaults, list) or not all(map(_names_an_option, defaults)):
            raise UserError(f"{name}: defaults must be a list of options, such as [default]")
        if config_path == MAIN and PARAMS_LINE not in defaults:
            raise UserError(f"{name}: {PARAMS} has no effect; add {PARAMS_LINE} to defaults")
        values = typed(content, section.replace("_global_", ""), name)
        return ConfigResult(
            config=OmegaConf.create({"defaults": defaults, **values}),
            path=f"{self.scheme()}://{self.path}",
            provider=self.provider,
            header=header,
        )


def _names_an_option(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, dict) and len(item) == 1)


Plugins.instance().register(Files)
