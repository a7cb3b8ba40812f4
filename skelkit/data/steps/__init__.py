"""Steps of preprocessing, by what they change; `skelkit.data.preprocess` names them all."""
